//! A key-value server: one line asks, one line answers.
//!
//! It shows a heap shared by threads, one for each connection. Readers run side by side, writers one after the other.
//! A pair is on the disk before its `OK` is sent, and connections that wait for the disk share one flush.
//!
//! ```text
//! $ cargo run -p heap --example kv -- pairs.heap --self-test
//! SET name a board -> OK
//! GET name -> VALUE a board
//! DEL name -> OK
//! DEL name -> NONE
//! GET name -> NONE
//! PUT name -> ERROR the words are GET KEY, SET KEY VALUE, DEL KEY
//! 4 connections stored 100 pairs, and 100 are there after opening again
//! ```
//!
//! To serve, say where: `kv pairs.heap 127.0.0.1:7070`, and talk to it with `nc 127.0.0.1 7070`.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;

use heap::{Bytes, Heap, Map, Reader, Record, Ref, Text};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The root.
#[derive(Record)]
struct Store {
    pairs: Map<Text, Bytes>,
}

/// Answers a line.
fn answer(heap: &Heap, store: Ref<Store>, line: &[u8]) -> heap::Result<Vec<u8>> {
    let mut words = line.splitn(3, |&byte| byte == b' ');
    let (word, key, value) = (words.next(), words.next().and_then(|key| str::from_utf8(key).ok()), words.next());
    match (word, key, value) {
        (Some(b"GET"), Some(key), None) => {
            let read = heap.try_read()?;
            let found = read[store].pairs.get(&read, key)?;
            Ok(match found {
                Some(&value) => [b"VALUE ", read.get_bytes(value)?].concat(),
                None => b"NONE".into(),
            })
        }
        (Some(b"SET"), Some(key), Some(value)) => {
            let mut tx = heap.write()?;
            let (key, value) = (tx.text(key)?, tx.bytes(value)?);
            tx[store].pairs.insert(&mut tx, key, value)?; // frees the value before it
            tx.commit()?;
            Ok(b"OK".into())
        }
        (Some(b"DEL"), Some(key), None) => {
            let mut tx = heap.write()?;
            let was_there = tx[store].pairs.remove(&mut tx, key)?;
            tx.commit()?;
            Ok(if was_there { b"OK".into() } else { b"NONE".into() })
        }
        _ => Ok(b"ERROR the words are GET KEY, SET KEY VALUE, DEL KEY".into()),
    }
}

/// Answers a connection until it ends.
fn converse(heap: &Heap, store: Ref<Store>, stream: &TcpStream) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    while stream.read_until(b'\n', &mut line)? > 0 {
        let answered = answer(heap, store, line.trim_ascii_end());
        let mut answer = answered.unwrap_or_else(|error| format!("ERROR {error}").into());
        answer.push(b'\n');
        stream.get_mut().write_all(&answer)?;
        line.clear();
    }
    Ok(())
}

fn open(path: &Path) -> heap::Result<(Heap, Ref<Store>)> {
    let heap = Heap::open(path)?;
    let mut tx = heap.write()?;
    let store = tx.root_or_insert("store", |tx| Ok(Store { pairs: tx.map()? }))?;
    tx.commit()?;
    Ok((heap, store))
}

/// Serves so many connections, each in a thread of its own.
fn serve(heap: &Heap, store: Ref<Store>, listener: &TcpListener, count: usize) -> io::Result<()> {
    thread::scope(|scope| {
        for stream in listener.incoming().take(count) {
            let stream = stream?;
            scope.spawn(move || converse(heap, store, &stream).unwrap_or_else(|error| eprintln!("{error}")));
        }
        Ok(())
    })
}

/// Sends a line and waits for the answer.
fn ask(stream: &mut BufReader<TcpStream>, line: &str) -> io::Result<String> {
    writeln!(stream.get_mut(), "{line}")?;
    let mut answer = String::new();
    stream.read_line(&mut answer)?;
    Ok(answer.trim_end().to_owned())
}

/// A server and its clients in one process.
fn self_test(path: &Path) -> Result<(), Failure> {
    const CLIENTS: usize = 4;
    const CONVERSATION: [&str; 6] = ["SET name a board", "GET name", "DEL name", "DEL name", "GET name", "PUT name"];
    let (heap, store) = open(path)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::scope(|scope| -> Result<(), Failure> {
        let server = scope.spawn(|| serve(&heap, store, &listener, 1 + CLIENTS));
        let clients: Vec<_> = (0..CLIENTS).map(|client| scope.spawn(move || fill(address, client))).collect();
        let mut stream = BufReader::new(TcpStream::connect(address)?);
        for line in CONVERSATION {
            println!("{line} -> {}", ask(&mut stream, line)?);
        }
        drop(stream);
        server.join().expect("a server that does not panic")?;
        Ok(clients.into_iter().try_for_each(|client| client.join().expect("a client that was answered"))?)
    })?;
    drop(heap);
    let (heap, store) = open(path)?;
    let read = heap.read();
    let count = read[store].pairs.len(&read)?;
    println!("{CLIENTS} connections stored 100 pairs, and {count} are there after opening again");
    Ok(())
}

/// One of the clients of the self-test: stores its quarter.
fn fill(address: SocketAddr, client: usize) -> io::Result<()> {
    let mut stream = BufReader::new(TcpStream::connect(address)?);
    for number in 0..25 {
        assert_eq!(ask(&mut stream, &format!("SET pair-{client}-{number} {number}"))?, "OK");
    }
    Ok(())
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [path, flag] if flag == "--self-test" => self_test(path.as_ref()),
        [path, address] => {
            let (heap, store) = open(path.as_ref())?;
            Ok(serve(&heap, store, &TcpListener::bind(address)?, usize::MAX)?)
        }
        _ => Err("usage: kv HEAP ADDRESS, or kv HEAP --self-test".into()),
    }
}
