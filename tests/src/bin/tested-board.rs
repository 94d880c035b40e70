//! The program that the tests migrate heaps to. What its types are, and how it behaves when it is asked, is said in the
//! variable `BOARD`.

use std::io::Write;
use std::time::Duration;

use tests::board::{after, before, hooked};

fn main() {
    let board = std::env::var("BOARD").unwrap_or_default();
    match &*board {
        "1.4" => heap::answer::<before::Board>(),
        "1.5" => heap::answer::<after::Board>(),
        "hook" | "panic" => heap::answer::<hooked::Board>(),
        // It talks a lot before it answers.
        "noisy" => {
            let noise = vec![b'{'; 8 << 20];
            let _ = std::io::stdout().write_all(&noise);
            let _ = std::io::stderr().write_all(&noise);
            heap::answer::<after::Board>();
        }
        // It was written before there was anything to answer.
        "silent" => std::thread::sleep(Duration::from_mins(10)),
        // It ends in the middle of its answer.
        "cut" => {
            let asked = std::env::var("IMAGE_ASKS").unwrap_or_default();
            let number = asked.split(' ').next().unwrap_or_default().to_owned();
            let pipe = std::fs::OpenOptions::new().write(true).open(format!("/proc/self/fd/{number}"));
            let _ = pipe.and_then(|mut pipe| pipe.write_all(b"{\"image\":1,\"program\":\"bo"));
        }
        _ => {}
    }
    println!("the program runs");
}
