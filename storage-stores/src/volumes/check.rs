//! Whether bytes are an event of a channel.

use std::fmt;

use storage_core::{Bytes, Error, ErrorKind};

use super::event::Event;
use super::signing::PublicKey;
use super::store::VolumeStore;

/// Why something is no event of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It never was one.
    Wrong(String),
    /// It has a format this program does not know.
    TooNew(String),
    /// It is signed under a scheme nobody here can check.
    Unknown(String),
}

impl Refusal {
    pub(super) fn into_error(self) -> Error {
        let kind = match self {
            Self::Wrong(_) | Self::Unknown(_) => ErrorKind::Corrupt,
            Self::TooNew(_) => ErrorKind::FormatTooNew,
        };
        Error::new(kind, self.to_string())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Wrong(why) | Self::TooNew(why) | Self::Unknown(why)) = self;
        f.write_str(why)
    }
}

impl VolumeStore {
    /// Reads bytes, whose hash was checked, as an event of this channel.
    pub(super) fn check_event(&self, channel: &PublicKey, bytes: Bytes) -> Result<Event, Refusal> {
        let event = Event::parse(self.hash_algorithm(), bytes).map_err(|error| {
            let message = error.message().to_owned();
            match error.kind() {
                ErrorKind::FormatTooNew => Refusal::TooNew(message),
                _ => Refusal::Wrong(message),
            }
        })?;
        if event.channel() != channel {
            return Err(Refusal::Wrong(format!(
                "it belongs to the channel {}",
                event.channel()
            )));
        }
        let mut known = self
            .verifiers()
            .iter()
            .filter(|verifier| verifier.scheme() == event.scheme())
            .peekable();
        if known.peek().is_none() {
            return Err(Refusal::Unknown(format!(
                "it is signed under {:?}, for which there is no verifier",
                event.scheme()
            )));
        }
        if known.any(|verifier| event.is_signed(verifier.as_ref())) {
            Ok(event)
        } else {
            Err(Refusal::Wrong("its signature is wrong".to_owned()))
        }
    }
}
