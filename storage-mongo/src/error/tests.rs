use bson::doc;

use super::*;

/// A server's answer as the driver gives it; it has no public way to make one but to read it.
fn command(code: i32) -> Native {
    let error: mongodb::error::CommandError = bson::deserialize_from_document(doc! {
        "code": code,
        "codeName": "Name",
        "errmsg": "E11000 duplicate key error collection: app.users index: by_mail.unique dup key: { mail: \"a\" }",
    })
    .unwrap();
    NativeKind::Command(error).into()
}

fn write_error(code: i32) -> Native {
    let error: mongodb::error::WriteError =
        bson::deserialize_from_document(doc! { "code": code, "errmsg": "why" }).unwrap();
    NativeKind::Write(WriteFailure::WriteError(error)).into()
}

fn write_concern_error(code: i32) -> Native {
    let error: mongodb::error::WriteConcernError =
        bson::deserialize_from_document(doc! { "code": code, "codeName": "Name", "errmsg": "why" }).unwrap();
    NativeKind::Write(WriteFailure::WriteConcernError(error)).into()
}

fn lost() -> Native {
    NativeKind::Io(std::sync::Arc::new(std::io::Error::other("reset"))).into()
}

#[test]
fn each_code_has_its_kind() {
    use Applied::{No, Unknown};
    use Retry::{Later, Never};
    for (code, kind, retry, applied) in [
        (2, ErrorKind::Internal, Never, No),
        (13, ErrorKind::PermissionDenied, Never, No),
        (18, ErrorKind::Unauthenticated, Never, No),
        (24, ErrorKind::Conflict, Later, No),
        (43, ErrorKind::Conflict, Later, Unknown),
        (50, ErrorKind::Timeout, Later, Unknown),
        (59, ErrorKind::Unsupported, Never, No),
        (64, ErrorKind::Timeout, Later, Unknown),
        (73, ErrorKind::InvalidName, Never, No),
        (91, ErrorKind::Unavailable, Later, Unknown),
        (112, ErrorKind::Conflict, Later, No),
        (121, ErrorKind::InvalidArgument, Never, No),
        (189, ErrorKind::Unavailable, Later, Unknown),
        (238, ErrorKind::Unsupported, Never, No),
        (251, ErrorKind::Conflict, Later, Unknown),
        (262, ErrorKind::Timeout, Later, Unknown),
        (462, ErrorKind::RateLimited, Later, No),
        (10107, ErrorKind::Unavailable, Later, Unknown),
        (10334, ErrorKind::LimitExceeded, Never, No),
        (11000, ErrorKind::Internal, Never, No),
        (11600, ErrorKind::Unavailable, Later, Unknown),
        (14031, ErrorKind::NoSpace, Never, No),
        (17419, ErrorKind::LimitExceeded, Never, No),
        (999_999, ErrorKind::Internal, Never, Unknown),
    ] {
        for native in [command(code), write_error(code)] {
            let error = classify(native.clone(), Kind::Write);
            assert_eq!(
                (error.kind(), error.retry(), error.applied()),
                (kind, retry, applied),
                "code {code}"
            );
            assert_eq!(super::code(&error), Some(code));
            assert_eq!(
                classify(native, Kind::Read).applied(),
                No,
                "reading with code {code}"
            );
        }
    }
}

#[test]
fn a_lost_answer_of_a_write_is_unknown_and_of_a_read_nothing() {
    let error = classify(lost(), Kind::Write);
    assert_eq!(
        (error.kind(), error.retry(), error.applied()),
        (ErrorKind::Unavailable, Retry::Later, Applied::Unknown)
    );
    assert_eq!(classify(lost(), Kind::Read).applied(), Applied::No);
}

#[test]
fn a_write_that_a_majority_did_not_confirm_is_unknown() {
    for (code, kind) in [
        (64, ErrorKind::Timeout),
        (100, ErrorKind::Unavailable),
        (91, ErrorKind::Timeout),
    ] {
        let error = classify(write_concern_error(code), Kind::Write);
        assert_eq!(
            (error.kind(), error.applied()),
            (kind, Applied::Unknown),
            "code {code}"
        );
    }
}

#[test]
fn a_duplicate_key_is_told_from_the_rest() {
    let error = classify(command(11000), Kind::Write);
    assert!(
        DuplicateKey::of(&error)
            .unwrap()
            .message
            .contains("by_mail.unique")
    );
    assert_eq!(DuplicateKey::of(&classify(write_error(112), Kind::Write)), None);
    assert_eq!(DuplicateKey::of(&Error::already_exists()), None);
}

#[test]
fn only_an_answer_that_did_not_come_is_lost() {
    for (error, expected) in [
        (classify(lost(), Kind::Write), true),
        (timed_out(Kind::Read), true),
        (classify(command(50), Kind::Write), false),
        (classify(write_error(112), Kind::Write), false),
        (Error::invalid_argument("of our own"), false),
    ] {
        assert_eq!(is_lost(&error), expected, "{error:?}");
    }
}
