//! What an admin asks for, and what it makes of the answers.

use std::sync::{Arc, Mutex};

use ringlog_client::{
    Acl, AclFilter, AclOperation, AclPattern, AclPatternFilter, AclPermission, AclResource, Address, Admin,
    ClientError, CommittedOffset, ConfigResource, ErrorCode, FeatureUpdate, GroupEpochs, MemberTarget, OffsetSpec,
    Quorum, QuorumReplica, ScramMechanism, TopicPartition,
};
use ringlog_protocol::ApiKey;
use ringlog_protocol::alter_user_scram_credentials::{
    AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse, AlterUserScramCredentialsResult,
};
use ringlog_protocol::consumer_group_describe::{
    self, Assignment, ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, Member, TopicPartitions,
};
use ringlog_protocol::create_acls::{AclCreation, AclCreationResult, CreateAclsRequest, CreateAclsResponse};
use ringlog_protocol::delete_acls::{
    DeleteAclsFilter, DeleteAclsFilterResult, DeleteAclsMatchingAcl, DeleteAclsRequest, DeleteAclsResponse,
};
use ringlog_protocol::delete_records::{DeleteRecordsPartitionResult, DeleteRecordsResponse, DeleteRecordsTopicResult};
use ringlog_protocol::describe_acls::{
    AclDescription, DescribeAclsRequest, DescribeAclsResource, DescribeAclsResponse,
};
use ringlog_protocol::describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup};
use ringlog_protocol::describe_quorum::{
    DescribeQuorumResponse, Listener, Node, ReplicaState, ResponsePartitionData, ResponseTopicData,
};
use ringlog_protocol::describe_user_scram_credentials::{
    CredentialInfo, DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse,
    DescribeUserScramCredentialsResult, UserName,
};
use ringlog_protocol::list_config_resources::{self, ListConfigResourcesResponse};
use ringlog_protocol::list_offsets::{ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse};
use ringlog_protocol::offset_commit::OffsetCommitResponse;
use ringlog_protocol::update_features::{FeatureUpdateKey, UpdateFeaturesRequest, UpdateFeaturesResponse};

use super::broker::{self, Answer, Received};

fn rule(name: &str, operation: AclOperation) -> Acl {
    Acl {
        resource: AclResource::Topic,
        name: name.to_owned(),
        pattern: AclPattern::Prefixed,
        principal: "User:alice".to_owned(),
        host: "*".to_owned(),
        operation,
        permission: AclPermission::Deny,
    }
}

#[tokio::test]
async fn rules_are_asked_for_by_kafkas_numbers_and_sorted() {
    let client = broker::client(|received: &Received| {
        if received.api != ApiKey::DescribeAcls {
            return Answer::Usual;
        }
        let expected = DescribeAclsRequest {
            resource_type_filter: 3,
            resource_name_filter: Some("billing".into()),
            pattern_type_filter: 2,
            principal_filter: None,
            host_filter: None,
            operation: 1,
            permission_type: 1,
        };
        assert_eq!(received.read::<DescribeAclsRequest<'_>>(), expected);
        let allow = |operation| AclDescription {
            principal: "User:alice".into(),
            host: "*".into(),
            operation,
            permission_type: 2,
        };
        let of = |name: &'static str, acls| DescribeAclsResource {
            resource_type: 2,
            resource_name: name.into(),
            pattern_type: 4,
            acls,
        };
        let resources = vec![of("b", vec![allow(99)]), of("a", vec![allow(4), allow(3)])];
        received.answer(&DescribeAclsResponse { resources, ..Default::default() })
    })
    .await;
    let filter = AclFilter {
        resource: Some(AclResource::Group),
        name: Some("billing".to_owned()),
        pattern: AclPatternFilter::Applies,
        ..Default::default()
    };
    let rules = Admin::new(client).acls(&filter).await.unwrap();
    let expected = [("a", AclOperation::Read), ("a", AclOperation::Write), ("b", AclOperation::Other(99))]
        .map(|(n, o)| rule(n, o));
    assert_eq!(rules, expected);
    assert_eq!(rules[0].to_string(), "deny User:alice to read topic a (prefixed) from *");
}

#[tokio::test]
async fn the_rule_that_is_refused_is_named() {
    let client = broker::client(|received: &Received| {
        if received.api != ApiKey::CreateAcls {
            return Answer::Usual;
        }
        let creations = received.read::<CreateAclsRequest<'_>>().creations;
        let expected = AclCreation {
            resource_type: 2,
            resource_name: "b".into(),
            resource_pattern_type: 4,
            principal: "User:alice".into(),
            host: "*".into(),
            operation: 15,
            permission_type: 2,
        };
        assert_eq!(creations[1], expected);
        let result = |error_code| AclCreationResult { error_code, error_message: Some("no".into()) };
        received.answer(&CreateAclsResponse { results: vec![result(0), result(42)], ..Default::default() })
    })
    .await;
    let rules = [rule("a", AclOperation::All), rule("b", AclOperation::TwoPhaseCommit)];
    let refused = Admin::new(client).create_acls(&rules).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::InvalidRequest));
    assert!(refused.to_string().contains("User:alice to two-phase-commit topic b (prefixed)"), "{refused}");
}

#[tokio::test]
async fn what_was_deleted_is_told() {
    let client = broker::client(|received: &Received| {
        if received.api != ApiKey::DeleteAcls {
            return Answer::Usual;
        }
        let expected = DeleteAclsFilter {
            resource_type_filter: 1,
            resource_name_filter: Some("a".into()),
            pattern_type_filter: 4,
            principal_filter: Some("User:alice".into()),
            host_filter: Some("*".into()),
            operation: 3,
            permission_type: 2,
        };
        assert_eq!(received.read::<DeleteAclsRequest<'_>>().filters, [expected]);
        let matching_acls = vec![DeleteAclsMatchingAcl {
            resource_type: 2,
            resource_name: "a".into(),
            pattern_type: 4,
            principal: "User:alice".into(),
            host: "*".into(),
            operation: 3,
            permission_type: 2,
            ..Default::default()
        }];
        let result = DeleteAclsFilterResult { matching_acls, ..Default::default() };
        received.answer(&DeleteAclsResponse { filter_results: vec![result], ..Default::default() })
    })
    .await;
    let filter = AclFilter {
        resource: None,
        name: Some("a".to_owned()),
        pattern: AclPatternFilter::Is(AclPattern::Prefixed),
        principal: Some("User:alice".to_owned()),
        host: Some("*".to_owned()),
        operation: Some(AclOperation::Read),
        permission: Some(AclPermission::Deny),
    };
    assert_eq!(Admin::new(client).delete_acls(&filter).await.unwrap(), [rule("a", AclOperation::Read)]);
}

#[tokio::test]
async fn a_password_is_sent_hashed_and_with_a_salt_of_its_own() {
    let (sender, salts) = std::sync::mpsc::channel();
    let client = broker::client(move |received: &Received| {
        if received.api != ApiKey::AlterUserScramCredentials {
            return Answer::Usual;
        }
        let request = received.read::<AlterUserScramCredentialsRequest<'_>>();
        let [set] = &request.upsertions[..] else { panic!("{request:?}") };
        assert_eq!((&*set.name, set.mechanism, set.iterations), ("alice", 2, 4096));
        assert_eq!((set.salt.len(), set.salted_password.0.len()), (20, 64));
        sender.send(set.salt.to_vec()).unwrap();
        let result = AlterUserScramCredentialsResult { user: "alice".into(), ..Default::default() };
        received.answer(&AlterUserScramCredentialsResponse { results: vec![result], ..Default::default() })
    })
    .await;
    let admin = Admin::new(client);
    for _ in 0..2 {
        admin.set_scram_credential("alice", ScramMechanism::Sha512, 4096, "pencil").await.unwrap();
    }
    assert_ne!(salts.recv().unwrap(), salts.recv().unwrap());
    let refused = admin.set_scram_credential("alice", ScramMechanism::Sha512, 4095, "pencil").await.unwrap_err();
    assert!(matches!(refused, ClientError::Option { name: "iterations", .. }), "{refused}");
}

#[tokio::test]
async fn credentials_are_told_by_user_and_mechanism() {
    let client = broker::client(|received: &Received| {
        if received.api != ApiKey::DescribeUserScramCredentials {
            return Answer::Usual;
        }
        let users = received.read::<DescribeUserScramCredentialsRequest<'_>>().users;
        assert_eq!(users, Some(vec![UserName { name: "alice".into() }]));
        let info = |mechanism, iterations| CredentialInfo { mechanism, iterations };
        let result = DescribeUserScramCredentialsResult {
            user: "alice".into(),
            credential_infos: vec![info(2, 8192), info(1, 4096), info(3, 1)],
            ..Default::default()
        };
        received.answer(&DescribeUserScramCredentialsResponse { results: vec![result], ..Default::default() })
    })
    .await;
    let credentials = Admin::new(client).scram_credentials(&["alice"]).await.unwrap();
    let expected = [(ScramMechanism::Sha256, 4096), (ScramMechanism::Sha512, 8192)];
    assert_eq!(credentials["alice"], expected.into());
}

#[tokio::test]
async fn an_offset_that_the_answer_leaves_out_was_not_committed() {
    let client = broker::client(|received: &Received| match received.api {
        ApiKey::OffsetCommit => received.answer(&OffsetCommitResponse::default()),
        _ => Answer::Usual,
    })
    .await;
    let committed = CommittedOffset { offset: 7, leader_epoch: None, metadata: String::new() };
    let offsets = [(TopicPartition::new("t", 1), committed)].into();
    let refused = Admin::new(client).alter_group_offsets("g", &offsets).await.unwrap_err();
    assert!(refused.to_string().contains("offset of t-1 in group g"), "{refused}");
}

#[tokio::test]
async fn a_group_of_either_protocol_is_described() {
    let client = broker::client(|received: &Received| match received.api {
        ApiKey::ConsumerGroupDescribe => {
            let group_id = received.read::<ConsumerGroupDescribeRequest<'_>>().group_ids.remove(0);
            let of = |partitions| Assignment {
                topic_partitions: vec![TopicPartitions { topic_name: "t".into(), partitions, ..Default::default() }],
            };
            let member = |member_id: &'static str, now, target| Member {
                member_id: member_id.into(),
                member_epoch: 4,
                assignment: of(now),
                target_assignment: of(target),
                ..Default::default()
            };
            let members = vec![member("b", vec![], vec![2]), member("a", vec![2, 1], vec![1])];
            let group = consumer_group_describe::DescribedGroup {
                error_code: match &*group_id {
                    "assigned-to" => 0,
                    "of-a-protocol-that-is-off" => ErrorCode::UnsupportedVersion as i16,
                    _ => ErrorCode::GroupIdNotFound as i16,
                },
                group_id,
                group_state: "Reconciling".into(),
                group_epoch: 5,
                assignment_epoch: 4,
                assignor_name: "uniform".into(),
                members,
                ..Default::default()
            };
            received.answer(&ConsumerGroupDescribeResponse { groups: vec![group], ..Default::default() })
        }
        ApiKey::DescribeGroups => {
            let group_id = received.read::<DescribeGroupsRequest<'_>>().groups.remove(0);
            let (group_state, protocol_data) = ("Stable".into(), "range".into());
            let group = DescribedGroup { group_id, group_state, protocol_data, ..Default::default() };
            received.answer(&DescribeGroupsResponse { groups: vec![group], ..Default::default() })
        }
        _ => Answer::Usual,
    })
    .await;
    let admin = Admin::new(client);
    let found = admin.group("assigned-to").await.unwrap();
    assert_eq!((&*found.state, &*found.assignor, &*found.protocol_type), ("Reconciling", "uniform", "consumer"));
    assert_eq!(found.epochs, Some(GroupEpochs { group: 5, assignment: 4 }));
    let at = |indexes: &[i32]| indexes.iter().map(|&index| TopicPartition::new("t", index)).collect::<Vec<_>>();
    let shown: Vec<_> =
        found.members.into_iter().map(|member| (member.member_id, member.assignment, member.target)).collect();
    let target = |indexes| Some(MemberTarget { epoch: 4, assignment: at(indexes) });
    let expected = [("a".to_owned(), at(&[1, 2]), target(&[1])), ("b".to_owned(), at(&[]), target(&[2]))];
    assert_eq!(shown, expected);
    for group in ["agreeing", "of-a-protocol-that-is-off"] {
        let classic = admin.group(group).await.unwrap();
        assert_eq!((&*classic.state, &*classic.assignor, classic.epochs), ("Stable", "range", None));
    }
}

#[tokio::test]
async fn a_feature_goes_up_or_down_by_kafkas_numbers_and_who_refuses_says_which() {
    let client = broker::client(|received: &Received| {
        if received.api != ApiKey::UpdateFeatures {
            return Answer::Usual;
        }
        let request = received.read::<UpdateFeaturesRequest<'_>>();
        let asked = |row: &FeatureUpdateKey<'_>| (row.feature.to_string(), row.max_version_level, row.upgrade_type);
        let asked: Vec<_> = request.feature_updates.iter().map(asked).collect();
        assert_eq!(asked, [("a".to_owned(), 2, 1), ("b".to_owned(), 0, 2), ("c".to_owned(), 1, 3)]);
        let error_code = if request.validate_only { 0 } else { ErrorCode::InvalidUpdateVersion as i16 };
        let error_message = Some("feature b: no".into());
        received.answer(&UpdateFeaturesResponse { error_code, error_message, ..Default::default() })
    })
    .await;
    let admin = Admin::new(client);
    let to = [FeatureUpdate::Upgrade(2), FeatureUpdate::Downgrade(0), FeatureUpdate::UnsafeDowngrade(1)];
    let updates = ["a", "b", "c"].map(str::to_owned).into_iter().zip(to).collect();
    admin.update_features(&updates, true).await.unwrap();
    let refused = admin.update_features(&updates, false).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::InvalidUpdateVersion));
    assert!(refused.to_string().contains("feature b: no"), "{refused}");
}

#[tokio::test]
async fn the_quorum_is_told_with_who_follows_and_where_they_listen() {
    let client = broker::client(|received: &Received| {
        if received.api != ApiKey::DescribeQuorum {
            return Answer::Usual;
        }
        let replica = |replica_id, last_fetch_timestamp| ReplicaState {
            replica_id,
            log_end_offset: 90,
            last_fetch_timestamp,
            last_caught_up_timestamp: -1,
            ..Default::default()
        };
        let partition = ResponsePartitionData {
            leader_id: 3,
            leader_epoch: 8,
            high_watermark: 99,
            current_voters: vec![replica(3, 5), replica(2, 4)],
            observers: vec![replica(1, -1)],
            ..Default::default()
        };
        let listener = Listener { name: "CONTROLLER".into(), host: "c".into(), port: 9093 };
        received.answer(&DescribeQuorumResponse {
            topics: vec![ResponseTopicData { partitions: vec![partition], ..Default::default() }],
            nodes: vec![Node { node_id: 3, listeners: vec![listener] }],
            ..Default::default()
        })
    })
    .await;
    let replica = |id, last_fetch_ms| QuorumReplica { id, log_end_offset: 90, last_fetch_ms, last_caught_up_ms: None };
    let at = Address { host: "c".to_owned(), port: 9093 };
    let expected = Quorum {
        leader: Some(3),
        leader_epoch: 8,
        high_watermark: 99,
        voters: vec![replica(2, Some(4)), replica(3, Some(5))],
        observers: vec![replica(1, None)],
        nodes: [(3, [("CONTROLLER".to_owned(), at)].into())].into(),
    };
    assert_eq!(Admin::new(client).quorum().await.unwrap(), expected);
}

#[tokio::test]
async fn an_answer_without_the_quorum_has_not_told_of_it() {
    let client = broker::client(|received: &Received| match received.api {
        ApiKey::DescribeQuorum => received.answer(&DescribeQuorumResponse::default()),
        _ => Answer::Usual,
    })
    .await;
    let unknown = Admin::new(client).quorum().await.unwrap_err();
    assert!(unknown.to_string().contains("does not mention it"), "{unknown}");
}

#[tokio::test]
async fn what_has_settings_is_told_by_kind() {
    let client = broker::client(|received: &Received| {
        if received.api != ApiKey::ListConfigResources {
            return Answer::Usual;
        }
        let row = |resource_type, name: &'static str| list_config_resources::ConfigResource {
            resource_name: name.into(),
            resource_type,
        };
        let config_resources = vec![row(32, "g"), row(99, "?"), row(16, "m"), row(8, "1"), row(4, "1"), row(2, "t")];
        received.answer(&ListConfigResourcesResponse { config_resources, ..Default::default() })
    })
    .await;
    let text = str::to_owned;
    let expected = [
        ConfigResource::Topic(text("t")),
        ConfigResource::Broker(1),
        ConfigResource::Group(text("g")),
        ConfigResource::BrokerLogger(1),
        ConfigResource::ClientMetrics(text("m")),
    ];
    assert_eq!(Admin::new(client).config_resources().await.unwrap(), expected);
}

#[tokio::test]
async fn a_leader_that_has_moved_is_looked_up_before_the_next_attempt() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let client = broker::client(move |received: &Received| {
        let mut seen = seen.lock().unwrap();
        let is_first = !seen.contains(&received.api);
        seen.push(received.api);
        let error_code = if is_first { ErrorCode::NotLeaderOrFollower as i16 } else { 0 };
        match received.api {
            ApiKey::ListOffsets => {
                let row = ListOffsetsPartitionResponse { error_code, offset: 7, ..Default::default() };
                let topics = vec![ListOffsetsTopicResponse { name: "t".into(), partitions: vec![row] }];
                received.answer(&ListOffsetsResponse { topics, ..Default::default() })
            }
            ApiKey::DeleteRecords => {
                let row = DeleteRecordsPartitionResult { error_code, low_watermark: 7, ..Default::default() };
                let topics = vec![DeleteRecordsTopicResult { name: "t".into(), partitions: vec![row] }];
                received.answer(&DeleteRecordsResponse { topics, ..Default::default() })
            }
            _ => Answer::Usual,
        }
    })
    .await;
    let (admin, partition) = (Admin::new(client), TopicPartition::new("t", 0));
    let found = admin.offsets(&[(partition.clone(), OffsetSpec::Latest)].into()).await.unwrap();
    assert_eq!(found[&partition].offset, Some(7));
    let low = admin.delete_records(&[(partition.clone(), 7)].into()).await.unwrap();
    assert_eq!(low[&partition], 7);
    let asked = asked.lock().unwrap();
    for api in [ApiKey::ListOffsets, ApiKey::DeleteRecords] {
        let [first, second] =
            [0, 1].map(|nth| asked.iter().enumerate().filter(|(_, one)| **one == api).nth(nth).unwrap().0);
        assert!(asked[first..second].contains(&ApiKey::Metadata), "{asked:?}");
    }
}
