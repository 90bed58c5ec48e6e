//! SCRAM credentials: what brokers keep so that users can prove themselves with a password (RFC 5802, KIP-554).

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::ops::RangeInclusive;

use hmac::{Hmac, KeyInit, Mac};
use ringlog_protocol::alter_user_scram_credentials::{
    AlterUserScramCredentialsRequest, ScramCredentialDeletion, ScramCredentialUpsertion,
};
use ringlog_protocol::describe_user_scram_credentials::{
    CredentialInfo, DescribeUserScramCredentialsRequest, UserName,
};
use ringlog_protocol::{Blob, Secret};
use sha2::{Sha256, Sha512};

use super::Admin;
use crate::ClientError;
use crate::client::Lane;

/// The fewest that RFC 7677 allows, and the most that Kafka does.
const ITERATIONS: RangeInclusive<u32> = 4096..=16384;
/// Of each credential's own.
const SALT_BYTES: usize = 20;

/// Which hash a credential is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScramMechanism {
    /// SCRAM-SHA-256 (RFC 7677).
    Sha256 = 1,
    /// SCRAM-SHA-512.
    Sha512 = 2,
}

impl ScramMechanism {
    fn from_code(code: i8) -> Option<Self> {
        [Self::Sha256, Self::Sha512].into_iter().find(|mechanism| *mechanism as i8 == code)
    }

    /// The password, hashed so often. Its text is taken as it is (Kafka does not prepare it by RFC 4013).
    fn salted(self, password: &str, salt: &[u8], iterations: u32) -> Vec<u8> {
        match self {
            Self::Sha256 => salted::<Hmac<Sha256>>(password.as_bytes(), salt, iterations),
            Self::Sha512 => salted::<Hmac<Sha512>>(password.as_bytes(), salt, iterations),
        }
    }
}

impl fmt::Display for ScramMechanism {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        })
    }
}

impl Admin {
    /// The credentials of these users, or of all who have some when none is named: how often each password was hashed, by mechanism.
    /// Mechanisms that this client does not know are left out.
    ///
    /// # Errors
    /// [`ResourceNotFound`](ringlog_protocol::ErrorCode::ResourceNotFound) for a user who has none.
    pub async fn scram_credentials(
        &self,
        users: &[&str],
    ) -> Result<BTreeMap<String, BTreeMap<ScramMechanism, i32>>, ClientError> {
        let named = users.iter().map(|&name| UserName { name: name.into() }).collect();
        let request = DescribeUserScramCredentialsRequest { users: (!users.is_empty()).then_some(named) };
        self.retry(|| async {
            let reply = self.client.any(Lane::SHARED).await?.call(&request).await?;
            let answer = reply.read()?;
            ClientError::check(answer.error_code, || "SCRAM credentials".to_owned(), answer.error_message.as_deref())?;
            let mut credentials = BTreeMap::new();
            for row in answer.results {
                ClientError::check(row.error_code, || format!("user {}", row.user), row.error_message.as_deref())?;
                let known = |info: &CredentialInfo| Some((ScramMechanism::from_code(info.mechanism)?, info.iterations));
                let infos = row.credential_infos.iter().filter_map(known);
                credentials.insert(row.user.into_owned(), infos.collect());
            }
            Ok(credentials)
        })
        .await
    }

    /// Sets a user's password for a mechanism, hashed `iterations` times. Only the hash leaves this process, but whoever reads that on
    /// the wire can prove himself with it: don't set passwords over a network that others read.
    ///
    /// # Errors
    /// [`ClientError::Option`] for a number of iterations that Kafka does not take, and what the broker says.
    pub async fn set_scram_credential(
        &self,
        user: &str,
        mechanism: ScramMechanism,
        iterations: u32,
        password: &str,
    ) -> Result<(), ClientError> {
        if !ITERATIONS.contains(&iterations) {
            let (value, reason) = (iterations.to_string(), "SCRAM takes 4096 to 16384");
            return Err(ClientError::Option { name: "iterations", value, reason });
        }
        let mut salt = [0; SALT_BYTES];
        let filled = File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut salt));
        filled.map_err(|_| ClientError::State("a salt is made of /dev/urandom, which cannot be read"))?;
        let salted_password = mechanism.salted(password, &salt, iterations);
        self.alter_scram(&AlterUserScramCredentialsRequest {
            upsertions: vec![ScramCredentialUpsertion {
                name: user.into(),
                mechanism: mechanism as i8,
                iterations: i32::try_from(iterations).unwrap_or(i32::MAX),
                salt: Blob::Borrowed(&salt),
                salted_password: Secret(Blob::Borrowed(&salted_password)),
            }],
            ..Default::default()
        })
        .await
    }

    /// Takes a user's password for a mechanism away.
    ///
    /// # Errors
    /// [`ResourceNotFound`](ringlog_protocol::ErrorCode::ResourceNotFound) when there is none.
    pub async fn delete_scram_credential(&self, user: &str, mechanism: ScramMechanism) -> Result<(), ClientError> {
        let deletions = vec![ScramCredentialDeletion { name: user.into(), mechanism: mechanism as i8 }];
        self.alter_scram(&AlterUserScramCredentialsRequest { deletions, ..Default::default() }).await
    }

    async fn alter_scram(&self, request: &AlterUserScramCredentialsRequest<'_>) -> Result<(), ClientError> {
        self.retry(|| async {
            let reply = self.client.controller().await?.call(request).await?;
            reply.read()?.results.iter().try_for_each(|row| {
                ClientError::check(row.error_code, || format!("user {}", row.user), row.error_message.as_deref())
            })
        })
        .await
    }
}

/// `Hi` of RFC 5802, section 2.2.
fn salted<M: Mac + KeyInit + Clone>(password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length (RFC 2104, section 2)")]
    let keyed = <M as KeyInit>::new_from_slice(password).expect("a key of any length");
    let mut last = keyed.clone().chain_update(salt).chain_update(1u32.to_be_bytes()).finalize().into_bytes();
    let mut sum = last.clone();
    for _ in 1..iterations {
        last = keyed.clone().chain_update(&last).finalize().into_bytes();
        sum.iter_mut().zip(&last).for_each(|(sum, byte)| *sum ^= byte);
    }
    sum.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_password_is_hashed_as_the_rfc_and_another_implementation_do() {
        // The example of RFC 7677, section 3.
        let salt = [0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa, 0x81];
        let sha_256 = ScramMechanism::Sha256.salted("pencil", &salt, 4096);
        assert_eq!(hex(&sha_256), "c4a49510323ab4f952cac1fa99441939e78ea74d6be81ddf7096e87513dc615d");
        // OpenSSL's PBKDF2.
        let sha_512 = ScramMechanism::Sha512.salted("pencil", b"salt", 4096);
        assert_eq!(
            hex(&sha_512),
            "2cfe3a1c151662b1ea49d13f595674a1c666add70df15d3d02254e9905993878\
            261da7407fd11c2fee4b0a30df5154b1a752f86a13380ddd4bdd9a7c958ec769"
        );
    }
}
