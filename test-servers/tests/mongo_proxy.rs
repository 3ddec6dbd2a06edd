#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
//! The proxy for MongoDB's protocol, between a client that writes single messages and a server that counts them.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use test_servers::proxy::{Commands, Mongo, MongoFault};

/// A server that answers every message and tells the id of each.
fn server() -> (String, Receiver<i32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("mongodb://{}", listener.local_addr().unwrap());
    let (told, heard) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let told = told.clone();
            std::thread::spawn(move || {
                while let Ok(message) = receive(&mut stream) {
                    let id = number(&message, 4);
                    told.send(id).unwrap();
                    // Gone clients are what this is about.
                    let _ = stream.write_all(&message_of(-id, id, b"\x05\0\0\0\0"));
                }
            });
        }
    });
    (url, heard)
}

fn number(message: &[u8], at: usize) -> i32 {
    i32::from_le_bytes(message[at..at + 4].try_into().unwrap())
}

/// A message with one document.
fn message_of(id: i32, answers: i32, document: &[u8]) -> Vec<u8> {
    let length = i32::try_from(21 + document.len()).unwrap();
    let mut message: Vec<u8> = [length, id, answers, 2013, 0]
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect();
    message.push(0);
    message.extend_from_slice(document);
    message
}

fn receive(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut message = vec![0; 16];
    stream.read_exact(&mut message)?;
    message.resize(usize::try_from(number(&message, 0)).unwrap(), 0);
    stream.read_exact(&mut message[16..])?;
    Ok(message)
}

/// `{name: collection}`.
fn command(id: i32, name: &str, collection: &str) -> Vec<u8> {
    let mut document = vec![2];
    document.extend_from_slice(name.as_bytes());
    document.push(0);
    document.extend_from_slice(&i32::try_from(collection.len() + 1).unwrap().to_le_bytes());
    document.extend_from_slice(collection.as_bytes());
    document.extend_from_slice(&[0, 0]);
    let length = i32::try_from(document.len() + 4).unwrap();
    message_of(id, 0, &[&length.to_le_bytes()[..], &document].concat())
}

fn connect(proxy: &Mongo) -> TcpStream {
    let url = proxy.url();
    let address = url.trim_start_matches("mongodb://").split('/').next().unwrap();
    TcpStream::connect(address).unwrap()
}

/// Sends a command and gives the id its answer is for.
fn ask(stream: &mut TcpStream, id: i32, name: &str, collection: &str) -> io::Result<i32> {
    stream.write_all(&command(id, name, collection))?;
    Ok(number(&receive(stream)?, 8))
}

const PATIENCE: Duration = Duration::from_millis(300);

#[test]
fn commands_pass_and_only_the_selected_one_is_lost() {
    let (url, heard) = server();
    let proxy = Mongo::to(&url).unwrap();
    let inserts = proxy.count(Commands::named("insert"));
    let lost = proxy.once(
        Commands::named("insert").on("users"),
        MongoFault::Drop { applied: true },
    );
    let mut stream = connect(&proxy);
    assert_eq!(ask(&mut stream, 1, "find", "users").unwrap(), 1);
    assert_eq!(ask(&mut stream, 2, "insert", "others").unwrap(), 2);
    ask(&mut stream, 3, "insert", "users").unwrap_err();
    assert_eq!((lost.fired(), inserts.fired()), (1, 2));
    let mut again = connect(&proxy);
    assert_eq!(ask(&mut again, 4, "insert", "users").unwrap(), 4);
    assert_eq!(heard.try_iter().collect::<Vec<_>>(), [1, 2, 3, 4]);
}

#[test]
fn a_command_dropped_before_is_never_heard() {
    let (url, heard) = server();
    let proxy = Mongo::to(&url).unwrap();
    proxy.nth(2, Commands::named("insert"), MongoFault::Drop { applied: false });
    let mut stream = connect(&proxy);
    assert_eq!(ask(&mut stream, 1, "insert", "users").unwrap(), 1);
    ask(&mut stream, 2, "insert", "users").unwrap_err();
    assert_eq!(ask(&mut connect(&proxy), 3, "insert", "users").unwrap(), 3);
    assert_eq!(heard.try_iter().collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn a_command_that_hangs_does_not_hold_up_the_next() {
    for applied in [true, false] {
        let (url, heard) = server();
        let proxy = Mongo::to(&url).unwrap();
        proxy.once(
            Commands::named("insert").with("users"),
            MongoFault::Hang { applied },
        );
        let mut stream = connect(&proxy);
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        ask(&mut stream, 1, "insert", "users").unwrap_err();
        stream.set_read_timeout(None).unwrap();
        assert_eq!(ask(&mut stream, 2, "insert", "users").unwrap(), 2);
        let expected: &[i32] = if applied { &[1, 2] } else { &[2] };
        assert_eq!(heard.try_iter().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_delayed_command_arrives_after_its_client_has_gone() {
    let (url, heard) = server();
    let proxy = Mongo::to(&url).unwrap();
    let late = proxy.once(Commands::named("insert"), MongoFault::DelayRequest(PATIENCE));
    let mut stream = connect(&proxy);
    stream.write_all(&command(1, "insert", "users")).unwrap();
    while late.fired() == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(stream);
    assert_eq!(heard.recv().unwrap(), 1);
}

#[test]
fn a_delayed_answer_is_the_answer() {
    let (url, _heard) = server();
    let proxy = Mongo::to(&url).unwrap();
    let delayed = proxy.always(
        Commands::all(),
        MongoFault::DelayAnswer(Duration::from_millis(20)),
    );
    let mut stream = connect(&proxy);
    assert_eq!(ask(&mut stream, 1, "ping", "admin").unwrap(), 1);
    assert_eq!(delayed.fired(), 1);
}

#[test]
fn a_cut_network_closes_connections_and_is_joined_again() {
    let (url, _heard) = server();
    let proxy = Mongo::to(&url).unwrap();
    let mut stream = connect(&proxy);
    assert_eq!(ask(&mut stream, 1, "ping", "admin").unwrap(), 1);
    proxy.cut();
    ask(&mut stream, 2, "ping", "admin").unwrap_err();
    ask(&mut connect(&proxy), 3, "ping", "admin").unwrap_err();
    proxy.heal();
    assert_eq!(ask(&mut connect(&proxy), 4, "ping", "admin").unwrap(), 4);
}

#[test]
fn the_url_keeps_drivers_from_going_past_the_proxy() {
    let (url, _heard) = server();
    let proxy = Mongo::to(&url).unwrap();
    assert!(
        proxy.url().ends_with("/?directConnection=true"),
        "{}",
        proxy.url()
    );
    let given = Mongo::to(&format!("{url}/?directConnection=true&appName=x")).unwrap();
    assert!(
        given.url().ends_with("/?directConnection=true&appName=x"),
        "{}",
        given.url()
    );
}
