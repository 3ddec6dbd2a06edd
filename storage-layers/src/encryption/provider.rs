//! [`KeyProvider`]: where key material comes from.

use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use storage_core::{Error, ErrorKind, Result};
use zeroize::Zeroizing;

use super::key::{Key, decode_hex};
use super::passphrase::PassphraseParameters;

/// Where key material comes from. It shows neither keys nor passphrases; paths, variables and commands it does.
///
/// A key in text is 64 hexadecimal digits or 44 characters of base64, white space around it aside. `openssl rand -hex 32` makes one.
#[derive(Clone)]
pub struct KeyProvider(Origin);

#[derive(Clone)]
enum Origin {
    Key(Key),
    File(PathBuf),
    Environment(String),
    Command(Vec<String>),
    Passphrase(Zeroizing<String>),
}

impl KeyProvider {
    /// A key that is there already.
    pub const fn key(key: Key) -> Self {
        Self(Origin::Key(key))
    }

    /// A file with a key in text, or with its 32 bytes as they are.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Origin::File(path.into()))
    }

    /// A variable of the environment with a key in text.
    pub fn environment(variable: impl Into<String>) -> Self {
        Self(Origin::Environment(variable.into()))
    }

    /// A program and its arguments, run without a shell, that writes a key in text to its standard output: what asks a key service.
    pub fn command<S: Into<String>>(words: impl IntoIterator<Item = S>) -> Self {
        Self(Origin::Command(words.into_iter().map(Into::into).collect()))
    }

    /// A passphrase, through Argon2id. The parameters are kept beside the data.
    pub fn passphrase(passphrase: impl Into<String>) -> Self {
        Self(Origin::Passphrase(Zeroizing::new(passphrase.into())))
    }

    /// Whether a key needs parameters that are kept beside the data.
    pub const fn is_passphrase(&self) -> bool {
        matches!(self.0, Origin::Passphrase(_))
    }

    /// Gets the key. Reads a file, runs a program or takes a tenth of a second of work: not for an async thread.
    ///
    /// # Errors
    /// `InvalidArgument` for what is no key, and for a passphrase without parameters; `NotFound` where file, variable or program is
    /// missing; `Unavailable` for a program that fails; `Io`.
    pub fn load(&self, parameters: Option<&PassphraseParameters>) -> Result<Key> {
        match &self.0 {
            Origin::Key(key) => Ok(key.clone()),
            Origin::File(path) => {
                let bytes = Zeroizing::new(std::fs::read(path).map_err(|error| {
                    self.failed(&error, "the file with the key cannot be read")
                        .with_source(error)
                })?);
                self.parse(&bytes)
            }
            Origin::Environment(variable) => {
                let text = std::env::var_os(variable).map(|value| Zeroizing::new(value.into_encoded_bytes()));
                let Some(text) = text else {
                    return Err(self.refused(ErrorKind::NotFound, "the variable with the key is not set"));
                };
                self.parse(&text)
            }
            Origin::Command(words) => self.run(words),
            Origin::Passphrase(passphrase) => {
                let Some(parameters) = parameters else {
                    return Err(Error::invalid_argument(
                        "a passphrase gives a key only with its parameters",
                    ));
                };
                parameters.key(passphrase.as_bytes())
            }
        }
    }

    fn run(&self, words: &[String]) -> Result<Key> {
        let Some((program, arguments)) = words.split_first() else {
            return Err(Error::invalid_argument("the command that gives the key is empty"));
        };
        let output = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .map_err(|error| {
                self.failed(&error, "the command that gives the key cannot be run")
                    .with_source(error)
            })?;
        let bytes = Zeroizing::new(output.stdout);
        if !output.status.success() {
            return Err(self.refused(
                ErrorKind::Unavailable,
                format!("the command that gives the key failed: {}", output.status),
            ));
        }
        self.parse(&bytes)
    }

    fn parse(&self, bytes: &[u8]) -> Result<Key> {
        let mut key = Zeroizing::new([0; 32]);
        let text = bytes.trim_ascii();
        if decode_hex(text, key.as_mut_slice()) {
            return Ok(Key::from_bytes(&mut key));
        }
        for engine in [STANDARD, STANDARD_NO_PAD] {
            if matches!(text.len(), 43 | 44)
                && let Ok(decoded) = engine.decode(text).map(Zeroizing::new)
                && decoded.len() == key.len()
            {
                key.copy_from_slice(&decoded);
                return Ok(Key::from_bytes(&mut key));
            }
        }
        // 32 random bytes are never all printable; 32 characters of text are no key.
        if matches!(self.0, Origin::File(_))
            && bytes.len() == key.len()
            && !bytes
                .iter()
                .all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace())
        {
            key.copy_from_slice(bytes);
            return Ok(Key::from_bytes(&mut key));
        }
        Err(self.refused(
            ErrorKind::InvalidArgument,
            "what is there is no key: 64 hexadecimal digits or 44 characters of base64; a passphrase is given as one",
        ))
    }

    fn failed(&self, error: &std::io::Error, message: &'static str) -> Error {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            std::io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
            _ => ErrorKind::Io,
        };
        self.refused(kind, message)
    }

    fn refused(&self, kind: ErrorKind, message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        Error::new(kind, message)
            .with_operation("get the encryption key")
            .with_key(self.to_string())
    }
}

impl fmt::Display for KeyProvider {
    /// Where the key comes from, never the key. Of a command only the program: its arguments may hold a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Origin::Key(key) => write!(f, "key {}", key.id()),
            Origin::File(path) => write!(f, "file {}", path.display()),
            Origin::Environment(variable) => write!(f, "variable {variable}"),
            Origin::Command(words) => write!(f, "command {}", words.first().map_or("", String::as_str)),
            Origin::Passphrase(_) => f.write_str("passphrase"),
        }
    }
}

impl fmt::Debug for KeyProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyProvider({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const BASE64: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn expected() -> Key {
        let mut bytes = [0; 32];
        assert!(decode_hex(HEX.as_bytes(), &mut bytes));
        Key::from_bytes(&mut bytes)
    }

    fn of_file(content: &[u8]) -> Result<Key> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        std::fs::write(&path, content).unwrap();
        KeyProvider::file(path).load(None)
    }

    #[test]
    fn a_key_is_read_from_every_form_it_has() {
        let raw: Vec<u8> = (0..32).collect();
        let upper = HEX.to_uppercase();
        let unpadded = BASE64.trim_end_matches('=');
        for content in [
            HEX.as_bytes(),
            format!(" {HEX}\r\n").as_bytes(),
            upper.as_bytes(),
            BASE64.as_bytes(),
            unpadded.as_bytes(),
            &raw,
        ] {
            assert_eq!(of_file(content).unwrap().id(), expected().id());
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_showing_it() {
        for content in [
            "",
            "hunter2hunter2hunter2hunter2hunt",
            &HEX[1..],
            &format!("{HEX}00"),
            "!".repeat(44).as_str(),
        ] {
            let error = of_file(content.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(content.is_empty() || !format!("{error} {error:?}").contains(content));
        }
        assert_eq!(
            KeyProvider::file("/nowhere/key").load(None).unwrap_err().kind(),
            ErrorKind::NotFound
        );
        let unset = KeyProvider::environment("STORAGE_LAYERS_NO_SUCH_VARIABLE");
        assert_eq!(unset.load(None).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(
            KeyProvider::passphrase("x").load(None).unwrap_err().kind(),
            ErrorKind::InvalidArgument
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_command_gives_a_key_and_its_failure_shows_neither_output_nor_arguments() {
        let key = KeyProvider::command(["printf", HEX]).load(None).unwrap();
        assert_eq!(key.id(), expected().id());
        let provider = KeyProvider::command(["sh", "-c", "printf canary; exit 3"]);
        let error = provider.load(None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(!format!("{error} {error:?} {provider:?}").contains("canary"));
        let missing = KeyProvider::command(["no-such-program-anywhere"])
            .load(None)
            .unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn no_provider_shows_its_secret() {
        let text = format!(
            "{:?} {:?}",
            KeyProvider::passphrase("canary"),
            KeyProvider::key(expected())
        );
        assert!(!text.contains("canary") && !text.contains("00010203"));
    }
}
