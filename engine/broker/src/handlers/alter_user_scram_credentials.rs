//! AlterUserScramCredentials: sets and removes what users would prove themselves with (KIP-554). Durable before the answer; only
//! kept: no listener authenticates anybody.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use ringlog_metadata::{Change, Image, ScramCredential, ScramMechanism};
use ringlog_protocol::alter_user_scram_credentials::{
    AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse, AlterUserScramCredentialsResult,
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use ringlog_protocol::{ErrorCode, Str};

use crate::config_resource::{Refusal, answer};
use crate::request::Incoming;

/// The fewest that RFC 7677 allows, and the most that Kafka does: every login costs the client as many hashes.
const ITERATIONS: RangeInclusive<i32> = 4096..=16384;
/// Longest salt. Clients take some 20 bytes; all of them are held in memory.
const MAX_SALT_BYTES: usize = 1024;

pub(crate) async fn serve(
    incoming: &Incoming,
    request: &AlterUserScramCredentialsRequest<'_>,
) -> AlterUserScramCredentialsResponse<'static> {
    let mut metadata = incoming.broker().topics.metadata().lock().await;
    let mut outcomes = outcomes(&metadata.image(), request);
    let changes: Vec<Change> = outcomes.values().filter_map(|outcome| outcome.clone().ok()).collect();
    if !changes.is_empty()
        && let Err(error) = metadata.apply(&incoming.shard.disk, &changes).await
    {
        // All are made or none.
        let unmade = outcomes.values_mut().filter(|outcome| outcome.is_ok());
        unmade.for_each(|outcome| *outcome = Err((ErrorCode::KafkaStorageError, error.to_string())));
    }
    let results = outcomes.into_iter().map(|(user, outcome)| {
        if outcome.is_ok() {
            tracing::info!(user, "SCRAM credentials of the user changed");
        }
        let (error_code, error_message) = answer(outcome.map(drop));
        AlterUserScramCredentialsResult { user: Str::Owned(user.to_owned()), error_code, error_message }
    });
    AlterUserScramCredentialsResponse { results: results.collect(), ..Default::default() }
}

type Outcomes<'a> = BTreeMap<&'a str, Result<Change, Refusal>>;

/// What is to change for each user. One who stands more than once gets the first refusal, and nothing is changed.
fn outcomes<'a>(image: &Image, request: &'a AlterUserScramCredentialsRequest<'_>) -> Outcomes<'a> {
    let mut outcomes = Outcomes::new();
    let deletions = request.deletions.iter().map(|deletion| (&*deletion.name, delete(image, deletion)));
    let upsertions = request.upsertions.iter().map(|upsertion| (&*upsertion.name, set(upsertion)));
    for (user, outcome) in deletions.chain(upsertions) {
        let outcome = match outcomes.remove(user) {
            None => outcome,
            Some(Err(refusal)) => Err(refusal),
            Some(Ok(_)) => {
                let reason = format!("user {user:?} stands more than once in the request");
                Err((ErrorCode::DuplicateResource, reason))
            }
        };
        outcomes.insert(user, outcome);
    }
    outcomes
}

fn delete(image: &Image, asked: &ScramCredentialDeletion<'_>) -> Result<Change, Refusal> {
    let (user, mechanism) = check(&asked.name, asked.mechanism)?;
    if !image.scram_credentials().get(&user).is_some_and(|held| held.contains_key(&mechanism)) {
        return Err((ErrorCode::ResourceNotFound, format!("user {user:?} has no {mechanism} credential")));
    }
    Ok(Change::ScramCredentialRemoved { user, mechanism })
}

fn set(asked: &ScramCredentialUpsertion<'_>) -> Result<Change, Refusal> {
    let (user, mechanism) = check(&asked.name, asked.mechanism)?;
    let refuse = |reason: String| Err((ErrorCode::UnacceptableCredential, reason));
    if !ITERATIONS.contains(&asked.iterations) {
        let (least, most) = (ITERATIONS.start(), ITERATIONS.end());
        return refuse(format!("{} iterations: {least} to {most} are allowed", asked.iterations));
    }
    if asked.salt.len() > MAX_SALT_BYTES {
        return refuse(format!("a salt of {} bytes: {MAX_SALT_BYTES} are allowed", asked.salt.len()));
    }
    if asked.salted_password.0.is_empty() {
        return refuse("the salted password is empty".to_owned());
    }
    let credential = ScramCredential::derive(mechanism, &asked.salt, &asked.salted_password.0, asked.iterations);
    Ok(Change::ScramCredentialSet { user, mechanism, credential })
}

fn check(user: &str, mechanism: i8) -> Result<(String, ScramMechanism), Refusal> {
    if user.is_empty() {
        return Err((ErrorCode::UnacceptableCredential, "the user has no name".to_owned()));
    }
    match ScramMechanism::from_code(mechanism) {
        Some(mechanism) => Ok((user.to_owned(), mechanism)),
        None => {
            let reason = format!("mechanism {mechanism}: 1 (SCRAM-SHA-256) and 2 (SCRAM-SHA-512) are allowed");
            Err((ErrorCode::UnsupportedSaslMechanism, reason))
        }
    }
}
