use bech32::{Bech32, Hrp};
use borsh::{BorshDeserialize, BorshSerialize};
use ripemd::Ripemd160;
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// Human-readable part of every address.
pub const BECH32_PREFIX: &str = "ballast";

/// 20 opaque bytes that name a master account, or a key by the address it has.
#[derive(
    Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct AccountId(pub [u8; 20]);

/// A key named by the address that it derives. The key owns the master account of the same bytes.
pub type KeyId = AccountId;

/// A trading account: a master and one of its 65,536 subaccounts. Written `ballast1.../7`;
/// subaccount 0 may be written without the number.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
)]
pub struct Account {
    /// The account that owns the keys.
    pub master: AccountId,
    /// Number of the subaccount.
    pub sub: u16,
}

/// Why an address or account could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("account {value:?}: {reason}")]
pub struct AccountError {
    value: String,
    reason: &'static str,
}

/// A public key of one of the two supported schemes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub enum PublicKey {
    /// Ed25519, verified by the rules of ZIP-215.
    Ed25519([u8; 32]),
    /// secp256k1, compressed.
    Secp256k1([u8; 33]),
}

impl PublicKey {
    /// The address that this key owns.
    pub fn id(&self) -> KeyId {
        let mut id = [0; 20];
        match self {
            Self::Ed25519(key) => {
                for (to, from) in id.iter_mut().zip(Sha256::digest(key)) {
                    *to = from;
                }
            }
            Self::Secp256k1(key) => id = Ripemd160::digest(Sha256::digest(key)).into(),
        }
        AccountId(id)
    }
}

impl Account {
    /// Subaccount `sub` of `master`.
    pub fn new(master: AccountId, sub: u16) -> Self {
        Self { master, sub }
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bech32::encode_to_fmt::<Bech32, _>(f, Hrp::parse_unchecked(BECH32_PREFIX), &self.0)
            .map_err(|_| fmt::Error)
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sub {
            0 => write!(f, "{}", self.master),
            sub => write!(f, "{}/{sub}", self.master),
        }
    }
}

impl FromStr for AccountId {
    type Err = AccountError;

    fn from_str(text: &str) -> Result<Self, AccountError> {
        let error = |reason| AccountError {
            value: text.to_owned(),
            reason,
        };
        let (prefix, bytes) = bech32::decode(text).map_err(|_| error("is not a bech32 address"))?;
        if prefix.as_str() != BECH32_PREFIX {
            return Err(error("does not start with \"ballast1\""));
        }
        let bytes = bytes
            .try_into()
            .map_err(|_| error("does not hold 20 bytes"))?;
        Ok(Self(bytes))
    }
}

impl FromStr for Account {
    type Err = AccountError;

    fn from_str(text: &str) -> Result<Self, AccountError> {
        let (master, sub) = text.split_once('/').unwrap_or((text, "0"));
        let sub = sub.parse().map_err(|_| AccountError {
            value: text.to_owned(),
            reason: "has a subaccount that is not a number from 0 to 65535",
        })?;
        Ok(Self {
            master: master.parse()?,
            sub,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_round_trip_and_bad_ones_name_the_value() {
        let account = Account::new(AccountId([7; 20]), 9);
        assert_eq!(account.to_string().parse(), Ok(account));
        assert_eq!(
            account.master.to_string().parse(),
            Ok(Account::new(account.master, 0))
        );
        for bad in ["", "ballast1", "cosmos1qqqq", "ballast1qqqq/70000", "x/y"] {
            let error = bad.parse::<Account>().unwrap_err().to_string();
            assert!(error.contains(&format!("{bad:?}")), "{error}");
        }
    }
}
