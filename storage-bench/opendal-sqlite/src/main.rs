//! OpenDAL's SQLite service as a contender: `opendal-sqlite DATABASE VALUES`. A line `read FIRST COUNT AT_ONCE` or `write …` on standard
//! input is answered by the seconds it took.

use std::error::Error;
use std::io::BufRead;
use std::time::Instant;

use opendal::Operator;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

const BYTES: usize = 1_000;

#[tokio::main]
async fn main() -> Outcome {
    let mut arguments = std::env::args().skip(1);
    let database = arguments.next().ok_or("which database?")?;
    let values: u64 = arguments.next().ok_or("how many values?")?.parse()?;
    let service = opendal::services::Sqlite::default()
        .connection_string(&format!("sqlite://{database}"))
        .table("bench");
    let operator = Operator::new(service)?.finish();
    for number in 0..values {
        operator.write(&key(number), vec![b'x'; BYTES]).await?;
    }
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["ready"] => println!("ready"),
            [what, first, count, at_once] => {
                let (first, count, at_once) = (first.parse()?, count.parse()?, at_once.parse()?);
                println!("{}", round(&operator, what == "read", values, first, count, at_once).await?);
            }
            _ => return Err(format!("not understood: {line}").into()),
        }
    }
    Ok(())
}

fn key(number: u64) -> String {
    format!("row-{number:09}")
}

async fn round(
    operator: &Operator,
    read: bool,
    values: u64,
    first: u64,
    count: u64,
    at_once: u64,
) -> Outcome<f64> {
    let start = Instant::now();
    let tasks: Vec<_> = (0..at_once)
        .map(|task| {
            let operator = operator.clone();
            tokio::spawn(async move {
                let mut number = first + task;
                while number < first + count {
                    if read {
                        let found = operator.read(&key(number.wrapping_mul(7_919) % values)).await?;
                        assert_eq!(found.len(), BYTES);
                    } else {
                        let key = key(number.wrapping_mul(7_919) % 1_000_000_000 + 1_000_000);
                        operator.write(&key, vec![b'x'; BYTES]).await?;
                    }
                    number += at_once;
                }
                Outcome::Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(start.elapsed().as_secs_f64())
}
