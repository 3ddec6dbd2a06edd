//! Servers that the environment names: taken when they answer, and never replaced when they do not.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod machine;

use test_servers::emulator::{self, S3Mode};

use self::machine::{Machine, NO_DOCKER};

#[tokio::test(flavor = "multi_thread")]
async fn one_that_answers_is_taken() {
    let store = emulator::s3(S3Mode::Honest).unwrap();
    let url = format!(
        "s3://{}?endpoint={}&allow_http=true&region=us-east-1",
        store.bucket(),
        store.url()
    );
    let machine = Machine::new(NO_DOCKER);
    let environment = [
        ("AWS_ACCESS_KEY_ID", "ada"),
        ("AWS_SECRET_ACCESS_KEY", "pw"),
        ("STORAGE_TEST_S3_URL", url.as_str()),
        ("STORAGE_REQUIRE", "s3"),
    ];
    let (up, table, errors) = machine.words("up", &environment).await;
    assert!(up, "{errors}");
    let lines: Vec<&str> = table.lines().filter(|line| line.starts_with("s3 ")).collect();
    assert!(
        matches!(lines[..], [line] if line.contains("explicit")),
        "{table}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_does_not_answer_is_a_failure() {
    let machine = Machine::new(NO_DOCKER);
    // Port 1, tcpmux, is served nowhere.
    let url = "mongodb://ada:secret@127.0.0.1:1/app?directConnection=true";
    let (up, table, errors) = machine.words("up", &[("STORAGE_TEST_MONGODB_URL", url)]).await;
    assert!(!up);
    let named = "STORAGE_TEST_MONGODB_URL names mongodb://127.0.0.1:1/app";
    assert!(errors.contains(named), "{errors}");
    assert!(
        !errors.contains("secret") && !table.contains("secret"),
        "{errors}{table}"
    );
    assert!(!table.contains("SecantusDB"), "{table}");
    // The others are there all the same.
    assert!(table.contains("in-repo GCS emulation"), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_that_is_no_kind_is_refused() {
    let machine = Machine::new(NO_DOCKER);
    let (up, _, errors) = machine.words("up", &[("STORAGE_REQUIRE", "mongodb")]).await;
    assert!(!up);
    assert!(errors.contains("`mongodb` is no kind of server"), "{errors}");
}
