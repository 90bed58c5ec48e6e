//! SCRAM credentials over restarts: they are kept, and what they were made from is nowhere.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(unreachable_pub, dead_code, clippy::unwrap_used, reason = "each test file uses its part")]
mod running;

use std::net::SocketAddr;

use ringlog_protocol::alter_user_scram_credentials::{
    AlterUserScramCredentialsRequest, ScramCredentialDeletion, ScramCredentialUpsertion,
};
use ringlog_protocol::describe_quorum::{DescribeQuorumRequest, PartitionData, TopicData};
use ringlog_protocol::describe_user_scram_credentials::DescribeUserScramCredentialsRequest;
use ringlog_protocol::{Blob, Secret};
use running::{Running, ask, backend};

const PASSWORD: &[u8] = b"hashed, but as good as the password";

fn alter(address: SocketAddr, delete: &[(&'static str, i8)], set: &[(&'static str, i8, i32)]) -> Vec<i16> {
    let deletions =
        delete.iter().map(|(name, mechanism)| ScramCredentialDeletion { name: (*name).into(), mechanism: *mechanism });
    let upsertions = set.iter().map(|(name, mechanism, iterations)| ScramCredentialUpsertion {
        name: (*name).into(),
        mechanism: *mechanism,
        iterations: *iterations,
        salt: Blob::Borrowed(b"salt"),
        salted_password: Secret(Blob::Borrowed(PASSWORD)),
    });
    let request = AlterUserScramCredentialsRequest { deletions: deletions.collect(), upsertions: upsertions.collect() };
    ask(address, &request, 0, |response| response.results.iter().map(|result| result.error_code).collect())
}

/// User, mechanism, iterations.
fn described(address: SocketAddr) -> Vec<(String, i8, i32)> {
    ask(address, &DescribeUserScramCredentialsRequest { users: None }, 0, |response| {
        let infos = response.results.iter().flat_map(|result| {
            result.credential_infos.iter().map(|info| (result.user.to_string(), info.mechanism, info.iterations))
        });
        infos.collect()
    })
}

fn end_of_the_metadata_log(address: SocketAddr) -> i64 {
    let partitions = vec![PartitionData { partition_index: 0 }];
    let request =
        DescribeQuorumRequest { topics: vec![TopicData { topic_name: "__cluster_metadata".into(), partitions }] };
    ask(address, &request, 2, |response| response.topics[0].partitions[0].high_watermark)
}

#[test]
fn credentials_are_as_they_were_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let broker = Running::start(data.path(), backend());
    assert_eq!(alter(broker.address, &[], &[("alice", 1, 4096), ("bob", 2, 16384), ("carol", 1, 5000)]), [0, 0, 0]);
    assert_eq!(alter(broker.address, &[("carol", 1)], &[("alice", 2, 8192), ("bob", 2, 4096)]), [0, 0, 0]);
    let expected = [("alice".to_owned(), 1, 4096), ("alice".to_owned(), 2, 8192), ("bob".to_owned(), 2, 4096)];
    assert_eq!(described(broker.address), expected);
    assert_eq!(end_of_the_metadata_log(broker.address), 6);
    broker.stop();
    let broker = Running::start(data.path(), backend());
    assert_eq!(described(broker.address), expected);
    assert_eq!(end_of_the_metadata_log(broker.address), 6, "one change each");
    broker.stop();
}

#[test]
fn a_salted_password_is_written_nowhere() {
    let data = tempfile::tempdir().unwrap();
    let broker = Running::start(data.path(), backend());
    assert_eq!(alter(broker.address, &[], &[("alice", 1, 4096)]), [0]);
    broker.stop();
    let hexadecimal: String = PASSWORD.iter().map(|byte| format!("{byte:02x}")).collect();
    for file in std::fs::read_dir(data.path()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file())
    {
        let bytes = std::fs::read(&file).unwrap();
        let holds = |secret: &[u8]| bytes.windows(secret.len()).any(|window| window == secret);
        assert!(!holds(PASSWORD) && !holds(hexadecimal.as_bytes()), "{}", file.display());
    }
}
