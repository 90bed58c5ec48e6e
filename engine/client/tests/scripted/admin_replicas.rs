//! What an admin asks about leaders, replicas and where they lie, and what it makes of the answers.

use ringlog_client::{Admin, Election, ErrorCode, Reassignment, TopicPartition};
use ringlog_protocol::ApiKey;
use ringlog_protocol::alter_replica_log_dirs::{
    AlterReplicaLogDir, AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopic, AlterReplicaLogDirTopicResult,
    AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse,
};
use ringlog_protocol::describe_log_dirs::{DescribeLogDirsResponse, DescribeLogDirsResult};
use ringlog_protocol::elect_leaders::{
    ElectLeadersRequest, ElectLeadersResponse, PartitionResult, ReplicaElectionResult,
};
use ringlog_protocol::list_partition_reassignments::{
    ListPartitionReassignmentsResponse, OngoingPartitionReassignment, OngoingTopicReassignment,
};
use ringlog_protocol::metadata::{MetadataResponse, MetadataResponseBroker};

use super::broker::{self, Answer, Received};

#[tokio::test]
async fn what_came_of_each_election_is_told_at_once_and_who_led_already_is_not() {
    let mut asked = 0;
    let client = broker::client(move |received: &Received| {
        if received.api != ApiKey::ElectLeaders {
            return Answer::Usual;
        }
        let request = received.read::<ElectLeadersRequest<'_>>();
        assert_eq!((request.election_type, request.topic_partitions), (1, None));
        asked += 1;
        assert_eq!(asked, 1, "a partition's error is final");
        let row = |partition_id, error_code| PartitionResult { partition_id, error_code, error_message: None };
        let down = row(2, ErrorCode::PreferredLeaderNotAvailable as i16);
        let partition_result = vec![down, row(1, 0), row(0, ErrorCode::ElectionNotNeeded as i16)];
        let result = ReplicaElectionResult { topic: "t".into(), partition_result };
        received.answer(&ElectLeadersResponse { replica_election_results: vec![result], ..Default::default() })
    })
    .await;
    let outcomes = Admin::new(client).elect_leaders(Election::Unclean, None).await.unwrap();
    let outcomes: Vec<_> =
        outcomes.into_iter().map(|(at, outcome)| (at.partition, outcome.map_err(|error| error.code()))).collect();
    assert_eq!(outcomes, [(1, Ok(())), (2, Err(Some(ErrorCode::PreferredLeaderNotAvailable)))]);
}

#[tokio::test]
async fn moves_are_told_by_partition() {
    let client = broker::client(|received: &Received| {
        if received.api != ApiKey::ListPartitionReassignments {
            return Answer::Usual;
        }
        let partition_reassignment = OngoingPartitionReassignment {
            partition_index: 3,
            replicas: vec![1, 2, 3],
            adding_replicas: vec![3],
            removing_replicas: vec![1],
        };
        let topic = OngoingTopicReassignment { name: "t".into(), partitions: vec![partition_reassignment] };
        received.answer(&ListPartitionReassignmentsResponse { topics: vec![topic], ..Default::default() })
    })
    .await;
    let moves = Admin::new(client).reassignments().await.unwrap();
    let expected = Reassignment { replicas: vec![1, 2, 3], adding: vec![3], removing: vec![1] };
    assert_eq!(moves, [(TopicPartition::new("t", 3), expected)].into());
}

#[tokio::test]
async fn a_controller_that_does_not_answer_is_looked_up_anew() {
    // Nobody listens there any more.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut asked = 0;
    let client = broker::client(move |received: &Received| match received.api {
        ApiKey::Metadata => {
            asked += 1;
            if asked > 1 {
                return Answer::Usual;
            }
            let dead = MetadataResponseBroker {
                node_id: 2,
                host: "127.0.0.1".into(),
                port: gone.into(),
                ..Default::default()
            };
            received.answer(&MetadataResponse { brokers: vec![dead], controller_id: 2, ..Default::default() })
        }
        ApiKey::ListPartitionReassignments => received.answer(&ListPartitionReassignmentsResponse::default()),
        _ => Answer::Usual,
    })
    .await;
    assert!(Admin::new(client).reassignments().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_log_directory_that_has_failed_is_told_at_once_beside_the_others() {
    let mut asked = 0;
    let client = broker::client(move |received: &Received| {
        if received.api != ApiKey::DescribeLogDirs {
            return Answer::Usual;
        }
        asked += 1;
        assert_eq!(asked, 1, "a directory's error is final");
        let dir = |log_dir: &'static str, error_code, total_bytes| DescribeLogDirsResult {
            log_dir: log_dir.into(),
            error_code,
            total_bytes,
            ..Default::default()
        };
        let results = vec![dir("/failed", ErrorCode::KafkaStorageError as i16, -1), dir("/whole", 0, 9)];
        received.answer(&DescribeLogDirsResponse { results, ..Default::default() })
    })
    .await;
    let dirs = Admin::new(client).log_dirs().await.unwrap();
    let told: Vec<_> = dirs.iter().map(|dir| (&*dir.path, dir.error, dir.total_bytes)).collect();
    assert_eq!(told, [("/failed", Some(ErrorCode::KafkaStorageError), None), ("/whole", None, Some(9))]);
}

#[tokio::test]
async fn a_replica_that_is_about_to_come_is_waited_for() {
    let mut asked = 0;
    let client = broker::client(move |received: &Received| {
        if received.api != ApiKey::AlterReplicaLogDirs {
            return Answer::Usual;
        }
        let dirs = received.read::<AlterReplicaLogDirsRequest<'_>>().dirs;
        let expected = |path: &'static str, partitions| AlterReplicaLogDir {
            path: path.into(),
            topics: vec![AlterReplicaLogDirTopic { name: "t".into(), partitions }],
        };
        assert_eq!(dirs, [expected("/a", vec![0, 2]), expected("/b", vec![1])]);
        asked += 1;
        let coming = |index| match index {
            2 if asked == 1 => ErrorCode::ReplicaNotAvailable as i16,
            _ => 0,
        };
        let row = |index| AlterReplicaLogDirPartitionResult { partition_index: index, error_code: coming(index) };
        let partitions = (0..3).map(row).collect();
        let results = vec![AlterReplicaLogDirTopicResult { topic_name: "t".into(), partitions }];
        received.answer(&AlterReplicaLogDirsResponse { results, ..Default::default() })
    })
    .await;
    let to = |(index, path): (i32, &str)| (TopicPartition::new("t", index), path.to_owned());
    let moves = [(0, "/a"), (1, "/b"), (2, "/a")].map(to).into();
    Admin::new(client).move_to_log_dirs(1, &moves).await.unwrap();
}
