//! [`Case`]: one law, and the function that checks it.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use futures::future::BoxFuture;
use storage_core::{Capability, Error};

use crate::context::Ctx;
use crate::facility::Facility;

/// One law of the contract and how it is checked.
#[non_exhaustive]
pub struct Case {
    /// Its name, such as `objects.put-get-roundtrip`. It never changes meaning.
    pub id: &'static str,
    /// The release it came with.
    pub since: &'static str,
    /// What must be declared for it; where something is not, its refusal is checked instead.
    pub capabilities: &'static [Capability],
    /// What the harness must offer for it; where it does not, the case is reported as not available.
    pub facility: Option<Facility>,
    /// How often it is worth running.
    pub tier: Tier,
    /// After this long it counts as failed.
    pub timeout: Duration,
    /// What it proves, in one sentence.
    pub proves: &'static str,
    pub(crate) run: Run,
}

pub(crate) type Run = for<'a> fn(&'a Ctx) -> BoxFuture<'a, Verdict>;

/// How often a case is worth running. Each tier includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Tier {
    /// At every build.
    Smoke,
    /// With every change.
    Standard,
    /// Every night.
    Deep,
}

impl Tier {
    /// Its name in text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Smoke => "smoke",
            Self::Standard => "standard",
            Self::Deep => "deep",
        }
    }

    /// Long enough for a slow disk or a server far away; a case that hangs is found all the same.
    pub(crate) const fn timeout(self) -> Duration {
        match self {
            Self::Smoke => Duration::from_secs(60),
            Self::Standard => Duration::from_secs(180),
            Self::Deep => Duration::from_secs(900),
        }
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case")
            .field("id", &self.id)
            .field("tier", &self.tier)
            .finish_non_exhaustive()
    }
}

/// How a case went.
pub type Verdict = Result<(), Failure>;

/// Why a case failed, and where in the suite.
#[derive(Debug, Clone)]
pub struct Failure {
    message: String,
    at: &'static Location<'static>,
    inconclusive: bool,
}

impl Failure {
    /// A failure seen here.
    #[track_caller]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            at: Location::caller(),
            inconclusive: false,
        }
    }

    /// The case cannot tell whether the law holds: no pass, and no fault of the adapter either.
    #[track_caller]
    pub fn inconclusive(message: impl Into<String>) -> Self {
        Self {
            inconclusive: true,
            ..Self::new(message)
        }
    }

    /// Whether it is only that the case cannot tell.
    pub const fn is_inconclusive(&self) -> bool {
        self.inconclusive
    }

    /// The same failure, with where it was seen in front.
    pub(crate) fn in_context(mut self, context: &str) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }
}

impl From<Error> for Failure {
    #[track_caller]
    fn from(error: Error) -> Self {
        let mut message = format!("failed to {error} [{}]", error.kind());
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            message.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        Self::new(message)
    }
}

impl From<String> for Failure {
    #[track_caller]
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

impl From<&str> for Failure {
    #[track_caller]
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}:{})", self.message, self.at.file(), self.at.line())
    }
}

/// Gives up the case with a message unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::case::Failure::new(format!($($message)+)));
        }
    };
}

/// Gives up the case, showing both values, unless they are equal.
macro_rules! ensure_eq {
    ($left:expr, $right:expr, $($message:tt)+) => {
        match (&$left, &$right) {
            (left, right) => {
                if *left != *right {
                    let message = format!($($message)+);
                    return Err($crate::case::Failure::new(format!("{message}: got {left:?}, expected {right:?}")));
                }
            }
        }
    };
}

/// Gives up the case unless the result is an error of this kind that applied nothing.
macro_rules! ensure_kind {
    ($result:expr, $kind:expr, $($message:tt)+) => {
        if let Err(problem) = $crate::case::check_kind($result, $kind) {
            let message = format!($($message)+);
            return Err($crate::case::Failure::new(format!("{message}: {problem}")));
        }
    };
}

/// What is wrong with a result that must be an error of this kind.
pub(crate) fn check_kind<R: fmt::Debug>(
    result: storage_core::Result<R>,
    kind: storage_core::ErrorKind,
) -> Result<Error, String> {
    match result {
        Ok(value) => Err(format!("expected {kind}, got Ok({value:?})")),
        Err(error) if error.kind() != kind => Err(format!(
            "expected {kind}, got {}: failed to {error}",
            error.kind()
        )),
        Err(error) if error.applied() != storage_core::Applied::No => Err(format!(
            "{kind} must say that nothing was applied: failed to {error}"
        )),
        Err(error) => Ok(error),
    }
}

/// Registers the cases of a file: `cases! { group: tier [Capabilities] name = "what it proves"; … }`, where a case that needs longer
/// than its tier says so with `tier [..] name timeout 300 = …` in seconds, and one that needs a facility with `tier [..] name from Raw = …`. Also defines the macro `group!` that
/// [`suite!`](crate::suite) calls to make a test of each.
macro_rules! cases {
    ($($input:tt)+) => {
        $crate::case::cases_with! { ($) $($input)+ }
    };
}

/// `$d` is a dollar sign, for the inner macro.
macro_rules! cases_with {
    (($d:tt) $group:ident:
        $($tier:ident [$($capability:ident),*] $name:ident $(timeout $seconds:literal)? $(from $facility:ident)? = $proves:literal;)+) => {
        pub(crate) const CASES: &[$crate::case::Case] = &[$(
            $crate::case::Case {
                id: {
                    const SNAKE: &str = concat!(stringify!($group), ".", stringify!($name));
                    const BYTES: [u8; SNAKE.len()] = $crate::case::kebab(SNAKE);
                    match std::str::from_utf8(&BYTES) {
                        Ok(id) => id,
                        Err(_) => unreachable!(),
                    }
                },
                since: "0.1.0",
                capabilities: &[$(storage_core::Capability::$capability),*],
                facility: $crate::case::first(&[$($crate::facility::Facility::$facility)?]),
                tier: $crate::case::$tier,
                timeout: $crate::case::timeout($crate::case::$tier, &[$($seconds)?]),
                proves: $proves,
                run: |ctx| Box::pin($name(ctx)),
            },
        )+];

        #[doc(hidden)]
        #[macro_export]
        macro_rules! $group {
            ($d harness:expr) => {
                mod $group {
                    #[allow(unused_imports, reason = "the harness may be named by its full path")]
                    use super::*;
                    $(
                        $d crate::case_test!($tier $name, $d harness, concat!(stringify!($group), ".", stringify!($name)));
                    )+
                }
            };
        }
    };
}

pub(crate) use {cases, cases_with, ensure, ensure_eq, ensure_kind};

/// The tiers as they are written in [`cases!`].
#[allow(
    non_upper_case_globals,
    dead_code,
    reason = "words of the registry, whether or not a case needs each now"
)]
mod tiers {
    use super::Tier;

    pub(crate) const smoke: Tier = Tier::Smoke;
    pub(crate) const standard: Tier = Tier::Standard;
    pub(crate) const deep: Tier = Tier::Deep;
}
pub(crate) use tiers::*;

/// The facility a case needs, if any.
pub(crate) const fn first(facilities: &[Facility]) -> Option<Facility> {
    match facilities {
        [] => None,
        [facility, ..] => Some(*facility),
    }
}

/// The time a case has: its own, or its tier's.
pub(crate) const fn timeout(tier: Tier, own_seconds: &[u64]) -> Duration {
    match own_seconds {
        [] => tier.timeout(),
        [seconds, ..] => Duration::from_secs(*seconds),
    }
}

/// `put_get_roundtrip` as `put-get-roundtrip`.
pub(crate) const fn kebab<const N: usize>(snake: &str) -> [u8; N] {
    let mut bytes = [0; N];
    let mut at = 0;
    while at < N {
        bytes[at] = if snake.as_bytes()[at] == b'_' {
            b'-'
        } else {
            snake.as_bytes()[at]
        };
        at += 1;
    }
    bytes
}

/// The test of one case. Deep ones are ignored unless asked for, so that they never count as passed without being run.
#[doc(hidden)]
#[macro_export]
macro_rules! case_test {
    (deep $name:ident, $harness:expr, $id:expr) => {
        #[test]
        #[ignore = "deep: run it with --ignored"]
        fn $name() {
            $crate::run_test(async { $harness }, $id);
        }
    };
    ($tier:ident $name:ident, $harness:expr, $id:expr) => {
        #[test]
        fn $name() {
            $crate::run_test(async { $harness }, $id);
        }
    };
}
