//! DescribeUserScramCredentials: which credentials users have; never what they are made of (KIP-554).

use std::collections::BTreeMap;

use ringlog_protocol::describe_user_scram_credentials::{
    CredentialInfo, DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse,
    DescribeUserScramCredentialsResult,
};
use ringlog_protocol::{ErrorCode, Str};

use crate::request::Incoming;

pub(crate) async fn serve(
    incoming: &Incoming,
    request: &DescribeUserScramCredentialsRequest<'_>,
) -> DescribeUserScramCredentialsResponse<'static> {
    let image = incoming.broker().topics.metadata().lock().await.image();
    let held = image.scram_credentials();
    // How often each user is asked for; null and an empty list ask for everybody once.
    let mut asked: BTreeMap<&str, u32> = BTreeMap::new();
    request.users.iter().flatten().for_each(|user| *asked.entry(&user.name).or_default() += 1);
    if asked.is_empty() {
        asked = held.keys().map(|user| (user.as_str(), 1)).collect();
    }
    let results = asked.into_iter().map(|(user, times)| {
        let refuse = |code: ErrorCode, reason: String| (code, reason, Vec::new());
        let (code, reason, credential_infos) = match held.get(user) {
            _ if times > 1 => refuse(ErrorCode::DuplicateResource, format!("user {user:?} is asked for {times} times")),
            None => refuse(ErrorCode::ResourceNotFound, format!("user {user:?} has no SCRAM credentials")),
            Some(held) => {
                let info = held.iter().map(|(mechanism, credential)| CredentialInfo {
                    mechanism: *mechanism as i8,
                    iterations: credential.iterations(),
                });
                (ErrorCode::None, String::new(), info.collect())
            }
        };
        DescribeUserScramCredentialsResult {
            user: Str::Owned(user.to_owned()),
            error_code: code as i16,
            // Without an error an empty message, as Kafka's.
            error_message: Some(Str::Owned(reason)),
            credential_infos,
        }
    });
    DescribeUserScramCredentialsResponse {
        error_message: Some(Str::Borrowed("")),
        results: results.collect(),
        ..Default::default()
    }
}
