//! Servers that are to be found out as careless: only there when they are asked for, and then it is said when they are not.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod machine;

use self::machine::{Machine, NO_DOCKER};

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_them_unasked() {
    let machine = Machine::new(NO_DOCKER);
    let (up, table, errors) = machine.words("up", &[]).await;
    assert!(up, "{errors}");
    assert!(
        !table.contains("Garage") && !errors.contains("s3s-fs"),
        "{errors}{table}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn not_getting_them_is_a_failure_where_they_are_asked_for() {
    let machine = Machine::new(NO_DOCKER);
    let (up, table, errors) = machine.words("up --deep", &[]).await;
    assert!(!up);
    let said = "--deep asks for Garage, s3s-fs, which is not available";
    assert!(errors.contains(said), "{errors}");
    assert!(errors.contains("cargo install"), "{errors}");
    let missing = |line: &&str| line.contains("Garage") && line.contains("NOT AVAILABLE");
    assert_eq!(table.lines().filter(missing).count(), 1, "{table}");
    // The others are there all the same.
    assert!(table.contains("in-repo GCS emulation"), "{table}");
}
