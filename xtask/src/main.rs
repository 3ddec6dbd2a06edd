//! What developers and CI run: `cargo xtask test`, `cargo xtask lint`, `cargo xtask budgets`, `cargo xtask docs` and
//! `cargo xtask servers`.

mod budgets;
mod cargo;
mod docs;
mod lint;
mod metadata;
mod report;
mod servers;
mod test;

use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo xtask <command>

  test [--deep [--operations N]] [-- args]
                   every test, each factory feature alone, the crate outside the workspace, generated documents;
                   args go to the test programs (a name to filter by, --nocapture, …);
                   --deep adds the cases that take long and the servers of `servers up --deep`, and lets nothing be left out;
                   --operations bounds it: so many random operations for each deep case of the model, and a hundredth of it
                   rounds for each lane of several processes
  lint             formatting, clippy, documentation, oldest Rust, licences and bans, package contents
  budgets [--update]
                   count the instructions of hot paths under valgrind and compare them with storage-budgets/budgets.txt, or write
                   that file
  docs [--check]   write the generated sections of the documents, or show where they are out of date
  servers up [--deep]
                   install and start the servers the tests run against; `test` does it by itself;
                   --deep adds real servers that take conditional writes without care, compiled in about half an hour
  servers down     end them and remove their data
  servers status   show them, and whether they answer
  servers logs NAME  show what one has written";

/// Any error: every step only prints it.
type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["test", words @ ..] => match test::Plan::read(words) {
            Some(plan) => test::run(&plan),
            None => misused(),
        },
        ["lint"] => lint::run(),
        ["budgets"] => budgets::run(budgets::Mode::Check),
        ["budgets", "--update"] => budgets::run(budgets::Mode::Update),
        ["docs"] => docs::run(docs::Mode::Write),
        ["docs", "--check"] => docs::run(docs::Mode::Check),
        ["servers", words @ ..] => servers::run(words),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => misused(),
    }
}

fn misused() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}
