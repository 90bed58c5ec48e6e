//! AlterUserScramCredentials (key 51): SCRAM credentials to set or delete (KIP-554).

use crate::{Blob, Secret, Str, schema::api};

api! {
    AlterUserScramCredentials = 51, versions 0..=0, flexible from 0;

    request AlterUserScramCredentialsRequest<'a> {
        0..  deletions: Vec<ScramCredentialDeletion<'a>>;
        0..  upsertions: Vec<ScramCredentialUpsertion<'a>>;
    }

    struct ScramCredentialDeletion<'a> {
        0..  name: Str<'a>;
        0..  mechanism: i8;
    }

    struct ScramCredentialUpsertion<'a> {
        0..  name: Str<'a>;
        0..  mechanism: i8;
        0..  iterations: i32;
        0..  salt: Blob<'a>;
        0..  salted_password: Secret<'a>;
    }

    response AlterUserScramCredentialsResponse<'a> {
        0..  throttle_time_ms: i32;
        0..  results: Vec<AlterUserScramCredentialsResult<'a>>;
    }

    struct AlterUserScramCredentialsResult<'a> {
        0..  user: Str<'a>;
        0..  error_code: i16;
        0..  error_message: Option<Str<'a>>, null 0..;
    }
}
