//! SCRAM credentials: what a server keeps of a user's password (RFC 5802, section 3).

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256, Sha512};

/// Which hash a credential is made with. The numbers are Kafka's (KIP-554).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ScramMechanism {
    /// RFC 7677.
    #[serde(rename = "SCRAM-SHA-256")]
    Sha256 = 1,
    /// As SCRAM-SHA-256, with the longer hash.
    #[serde(rename = "SCRAM-SHA-512")]
    Sha512 = 2,
}

/// Neither the password nor what a client proves itself with: with what is here one can check a client's proof, and prove oneself
/// to it as the server. `Debug` shows none of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScramCredential {
    iterations: i32,
    #[serde(with = "hex")]
    salt: Vec<u8>,
    #[serde(with = "hex")]
    stored_key: Vec<u8>,
    #[serde(with = "hex")]
    server_key: Vec<u8>,
}

impl ScramMechanism {
    /// The mechanism of that number.
    #[must_use]
    pub fn from_code(code: i8) -> Option<Self> {
        [Self::Sha256, Self::Sha512].into_iter().find(|mechanism| *mechanism as i8 == code)
    }
}

impl fmt::Display for ScramMechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        })
    }
}

impl ScramCredential {
    /// What to keep of a password that was hashed `iterations` times with `salt`.
    #[must_use]
    pub fn derive(mechanism: ScramMechanism, salt: &[u8], salted_password: &[u8], iterations: i32) -> Self {
        let (stored_key, server_key) = match mechanism {
            ScramMechanism::Sha256 => keys::<Hmac<Sha256>, Sha256>(salted_password),
            ScramMechanism::Sha512 => keys::<Hmac<Sha512>, Sha512>(salted_password),
        };
        Self { iterations, salt: salt.to_vec(), stored_key, server_key }
    }

    /// How often the password was hashed.
    #[must_use]
    pub fn iterations(&self) -> i32 {
        self.iterations
    }
}

impl fmt::Debug for ScramCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScramCredential(hidden)")
    }
}

/// StoredKey and ServerKey.
fn keys<M: Mac + KeyInit, H: Digest>(salted_password: &[u8]) -> (Vec<u8>, Vec<u8>) {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length (RFC 2104, section 2)")]
    let keyed = || <M as KeyInit>::new_from_slice(salted_password).expect("a key of any length");
    let key = |name: &[u8]| keyed().chain_update(name).finalize().into_bytes().to_vec();
    (H::digest(key(b"Client Key")).to_vec(), key(b"Server Key"))
}

/// Bytes as two lower case digits each.
mod hex {
    use std::fmt::Write as _;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(2 * bytes.len());
        bytes.iter().try_for_each(|byte| write!(text, "{byte:02x}")).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        // The error says nothing of the text: it is a secret.
        let byte = |pair: &[u8]| match std::str::from_utf8(pair) {
            Ok(digits) if pair.len() == 2 => u8::from_str_radix(digits, 16).ok(),
            _ => None,
        };
        let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
        bytes.ok_or_else(|| D::Error::custom("a key is not in pairs of hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap();
        mac.chain_update(text).finalize().into_bytes().to_vec()
    }

    fn xor(a: &[u8], b: &[u8]) -> Vec<u8> {
        a.iter().zip(b).map(|(a, b)| a ^ b).collect()
    }

    /// The exchange of RFC 7677, section 3: user `user`, password `pencil`.
    #[test]
    fn what_is_kept_checks_the_proofs_of_the_rfcs_example() {
        let salt = [0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa, 0x81];
        let first = mac(b"pencil", &[&salt[..], &[0, 0, 0, 1]].concat());
        let (salted_password, _) = (1..4096).fold((first.clone(), first), |(sum, last), _| {
            let next = mac(b"pencil", &last);
            (xor(&sum, &next), next)
        });
        let kept = ScramCredential::derive(ScramMechanism::Sha256, &salt, &salted_password, 4096);
        let exchange = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
            s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let servers_proof = mac(&kept.server_key, exchange.as_bytes());
        assert_eq!(text(&servers_proof), "eabae24d1062db75a9451ff0b6ea7e98c8546549ff741e672d3251b2397de46e");
        let clients_proof = xor(&mac(&salted_password, b"Client Key"), &mac(&kept.stored_key, exchange.as_bytes()));
        assert_eq!(text(&clients_proof), "747cdb65aa56224e2352137e52d7bdcad6a0f738df30782caa69a2cfb0277554");
    }

    #[test]
    fn the_longer_hash_gives_the_keys_that_another_implementation_gives() {
        let kept = ScramCredential::derive(ScramMechanism::Sha512, b"salt", b"salted password", 4096);
        let stored_key = "4dae3c2e13c5df6f48206cabafffbc140beb5728cfb3848d2894ec6a08ec5a89\
            9eb04d9604ceabf5874a7fa0a539bbe6f89b762d32b358b46de1afc927155a11";
        let server_key = "d0edec9a3230460058f108a03ce5ea489f2d539d1ca6183c5c15e6a93569cd3f\
            adb9e86e65bd3605045133c3cef2c0c6b53922d766ad0e4ec8812ee1e5ae7526";
        assert_eq!((text(&kept.stored_key), text(&kept.server_key)), (stored_key.into(), server_key.into()));
    }

    #[test]
    fn no_debug_form_shows_a_key() {
        let kept = ScramCredential::derive(ScramMechanism::Sha256, b"salt", b"salted password", 4096);
        let change = crate::Change::ScramCredentialSet {
            user: "alice".into(),
            mechanism: ScramMechanism::Sha256,
            credential: kept.clone(),
        };
        let shown = format!("{change:?}");
        assert!(shown.contains("alice") && shown.contains("hidden"), "{shown}");
        for secret in [&kept.salt, &kept.stored_key, &kept.server_key] {
            assert!(!shown.contains(&text(secret)) && !shown.contains(&format!("{secret:?}")), "{shown}");
        }
    }
}
