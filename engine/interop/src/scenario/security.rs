//! Access rules, of which a broker without an authorizer has none, and SCRAM credentials, which it keeps.

use ringlog_protocol::alter_user_scram_credentials::{
    AlterUserScramCredentialsRequest, ScramCredentialDeletion, ScramCredentialUpsertion,
};
use ringlog_protocol::create_acls::{AclCreation, CreateAclsRequest};
use ringlog_protocol::delete_acls::{DeleteAclsFilter, DeleteAclsRequest};
use ringlog_protocol::describe_acls::DescribeAclsRequest;
use ringlog_protocol::describe_user_scram_credentials::{DescribeUserScramCredentialsRequest, UserName};
use ringlog_protocol::{ApiKey, Blob, Secret};

use crate::Talk;

/// Kafka's numbers: a topic, any pattern, literal, read, allow; and what each of them is when it is none that it knows.
const TOPIC: i8 = 2;
const ANY: i8 = 1;
const LITERAL: i8 = 3;
const READ: i8 = 3;
const ALLOW: i8 = 3;
const UNKNOWN: i8 = 0;

const SHA_256: i8 = 1;
const SHA_512: i8 = 2;

pub(super) fn play(talk: &mut Talk) {
    describe_acls(talk);
    create_acls(talk);
    delete_acls(talk);
    if talk.versions(ApiKey::AlterUserScramCredentials).next().is_some() {
        credentials(talk);
        refused_credentials(talk);
    }
}

fn describe_acls(talk: &mut Talk) {
    for v in talk.versions(ApiKey::DescribeAcls) {
        let all = DescribeAclsRequest {
            resource_type_filter: ANY,
            pattern_type_filter: ANY,
            operation: ANY,
            permission_type: ANY,
            ..Default::default()
        };
        talk.ask(v, "all", &all);
        talk.ask(v, "a pattern that nobody knows", &DescribeAclsRequest { pattern_type_filter: UNKNOWN, ..all });
    }
}

fn create_acls(talk: &mut Talk) {
    for v in talk.versions(ApiKey::CreateAcls) {
        let of = |operation| AclCreation {
            resource_type: TOPIC,
            resource_name: "plain".into(),
            resource_pattern_type: LITERAL,
            principal: "User:alice".into(),
            host: "*".into(),
            operation,
            permission_type: ALLOW,
        };
        talk.ask(v, "two", &CreateAclsRequest { creations: vec![of(READ), of(READ + 1)] });
        talk.ask(v, "none", &CreateAclsRequest { creations: vec![] });
        talk.ask(v, "an operation that nobody knows", &CreateAclsRequest { creations: vec![of(UNKNOWN)] });
    }
}

fn delete_acls(talk: &mut Talk) {
    for v in talk.versions(ApiKey::DeleteAcls) {
        let of = |operation| DeleteAclsFilter {
            resource_type_filter: ANY,
            pattern_type_filter: ANY,
            operation,
            permission_type: ANY,
            ..Default::default()
        };
        talk.ask(v, "two filters", &DeleteAclsRequest { filters: vec![of(ANY), of(READ)] });
        talk.ask(v, "no filter", &DeleteAclsRequest { filters: vec![] });
        talk.ask(v, "an operation that nobody knows", &DeleteAclsRequest { filters: vec![of(UNKNOWN)] });
    }
}

fn upsertion(name: &'static str, mechanism: i8, iterations: i32) -> ScramCredentialUpsertion<'static> {
    let (salt, salted_password) = (Blob::Borrowed(b"salt"), Secret(Blob::Borrowed(b"salted password")));
    ScramCredentialUpsertion { name: name.into(), mechanism, iterations, salt, salted_password }
}

fn deletion(name: &'static str, mechanism: i8) -> ScramCredentialDeletion<'static> {
    ScramCredentialDeletion { name: name.into(), mechanism }
}

fn alter(talk: &mut Talk, title: &str, request: AlterUserScramCredentialsRequest<'_>) {
    talk.ask(0, title, &request);
}

fn set(upsertions: Vec<ScramCredentialUpsertion<'_>>) -> AlterUserScramCredentialsRequest<'_> {
    AlterUserScramCredentialsRequest { upsertions, ..Default::default() }
}

fn delete(deletions: Vec<ScramCredentialDeletion<'_>>) -> AlterUserScramCredentialsRequest<'_> {
    AlterUserScramCredentialsRequest { deletions, ..Default::default() }
}

fn of(users: &[&'static str]) -> DescribeUserScramCredentialsRequest<'static> {
    let users = users.iter().map(|name| UserName { name: (*name).into() }).collect();
    DescribeUserScramCredentialsRequest { users: Some(users) }
}

/// Asks what `users` have. Kafka's broker hears some moments later what its controller has acknowledged.
fn describe(talk: &mut Talk, title: &str, users: &[&'static str]) {
    std::thread::sleep(std::time::Duration::from_millis(300));
    talk.ask(0, title, &of(users));
}

fn credentials(talk: &mut Talk) {
    describe(talk, "of everybody, when nobody has any", &[]);
    alter(
        talk,
        "one each for two users",
        set(vec![upsertion("alice", SHA_256, 4096), upsertion("bob", SHA_512, 16384)]),
    );
    describe(talk, "of one", &["alice"]);
    alter(talk, "another mechanism", set(vec![upsertion("alice", SHA_512, 5000)]));
    describe(talk, "of everybody by an empty list", &[]);
    talk.ask(0, "of everybody by null", &DescribeUserScramCredentialsRequest { users: None });
    describe(talk, "of a user who has none", &["alice", "carol"]);
    describe(talk, "of one user twice", &["alice", "bob", "alice"]);
    describe(talk, "of a user without a name", &[""]);
    alter(talk, "more iterations", set(vec![upsertion("alice", SHA_256, 8192)]));
    describe(talk, "with more iterations", &["alice"]);
    alter(
        talk,
        "one deleted, one set",
        AlterUserScramCredentialsRequest {
            deletions: vec![deletion("bob", SHA_512)],
            upsertions: vec![upsertion("dave", SHA_256, 4096)],
        },
    );
    describe(talk, "after a deletion", &[]);
    alter(talk, "one of two mechanisms deleted", delete(vec![deletion("alice", SHA_512)]));
    describe(talk, "of whom one mechanism is left", &["alice", "bob"]);
    alter(talk, "the same deleted again", delete(vec![deletion("alice", SHA_512)]));
}

fn refused_credentials(talk: &mut Talk) {
    alter(talk, "nothing", set(vec![]));
    alter(
        talk,
        "too few and too many iterations",
        set(vec![
            upsertion("few", SHA_256, 4095),
            upsertion("few512", SHA_512, 4095),
            upsertion("many", SHA_256, 16385),
            upsertion("none", SHA_256, 0),
            upsertion("negative", SHA_256, -1),
            upsertion("fine", SHA_256, 4096),
        ]),
    );
    alter(talk, "mechanisms that nobody knows", set(vec![upsertion("zero", 0, 4096), upsertion("three", 3, 4096)]));
    alter(talk, "a mechanism that nobody knows deleted", delete(vec![deletion("alice", 0)]));
    alter(talk, "a user without a name", set(vec![upsertion("", SHA_256, 4096)]));
    alter(talk, "a user without a name deleted", delete(vec![deletion("", SHA_256)]));
    let without = |salt: &'static [u8], salted_password: &'static [u8], name| ScramCredentialUpsertion {
        salt: Blob::Borrowed(salt),
        salted_password: Secret(Blob::Borrowed(salted_password)),
        ..upsertion(name, SHA_256, 4096)
    };
    alter(talk, "no salt", set(vec![without(b"", b"x", "unsalted")]));
    alter(talk, "a salt of 2000 bytes", set(vec![without(&[7; 2000], b"x", "salted")]));
    alter(talk, "no password", set(vec![without(b"x", b"", "open")]));
    alter(talk, "a user with nothing to delete", delete(vec![deletion("nobody", SHA_256)]));
    alter(
        talk,
        "one credential twice",
        set(vec![upsertion("twice", SHA_256, 4096), upsertion("twice", SHA_256, 4097)]),
    );
    alter(
        talk,
        "two mechanisms of one user",
        set(vec![upsertion("both", SHA_256, 4096), upsertion("both", SHA_512, 4096)]),
    );
    alter(
        talk,
        "deleted and set",
        AlterUserScramCredentialsRequest {
            deletions: vec![deletion("alice", SHA_256)],
            upsertions: vec![upsertion("alice", SHA_256, 4096)],
        },
    );
    alter(
        talk,
        "deleted and, with another mechanism, set",
        AlterUserScramCredentialsRequest {
            deletions: vec![deletion("alice", SHA_256)],
            upsertions: vec![upsertion("alice", SHA_512, 4096)],
        },
    );
    alter(talk, "deleted twice", delete(vec![deletion("alice", SHA_256), deletion("alice", SHA_256)]));
    alter(talk, "deleted with two mechanisms", delete(vec![deletion("alice", SHA_256), deletion("alice", SHA_512)]));
    alter(
        talk,
        "twice, the first of them refused",
        set(vec![upsertion("odd", SHA_256, 1), upsertion("odd", SHA_512, 4096)]),
    );
    alter(
        talk,
        "twice, the second of them refused",
        set(vec![upsertion("even", SHA_512, 4096), upsertion("even", SHA_256, 1)]),
    );
    alter(
        talk,
        "three times",
        set(vec![
            upsertion("thrice", SHA_256, 4096),
            upsertion("thrice", SHA_512, 4096),
            upsertion("thrice", SHA_256, 4096),
        ]),
    );
    describe(
        talk,
        "after what was refused",
        &["alice", "dave", "fine", "unsalted", "even", "twice", "both", "odd", "thrice"],
    );
}
