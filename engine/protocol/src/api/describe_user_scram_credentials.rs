//! DescribeUserScramCredentials (key 50): which SCRAM credentials users have (KIP-554).

use crate::{Str, schema::api};

api! {
    DescribeUserScramCredentials = 50, versions 0..=0, flexible from 0;

    request DescribeUserScramCredentialsRequest<'a> {
        0..  users: Option<Vec<UserName<'a>>>, null 0..;
    }

    struct UserName<'a> {
        0..  name: Str<'a>;
    }

    response DescribeUserScramCredentialsResponse<'a> {
        0..  throttle_time_ms: i32;
        0..  error_code: i16;
        0..  error_message: Option<Str<'a>>, null 0..;
        0..  results: Vec<DescribeUserScramCredentialsResult<'a>>;
    }

    struct DescribeUserScramCredentialsResult<'a> {
        0..  user: Str<'a>;
        0..  error_code: i16;
        0..  error_message: Option<Str<'a>>, null 0..;
        0..  credential_infos: Vec<CredentialInfo>;
    }

    struct CredentialInfo {
        0..  mechanism: i8;
        0..  iterations: i32;
    }
}
