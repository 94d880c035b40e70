//! The same graph without a heap file: what the works are compared with.

#![allow(dead_code, reason = "nodes have the same fields whatever a work reads")]

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use tests::workload::{Graph, NAME, name, score};

/// A node in a box of its own, which leads by pointers.
#[derive(Debug)]
pub(crate) struct Boxed<'a> {
    pub(crate) id: u64,
    pub(crate) score: f64,
    pub(crate) name: [u8; NAME],
    pub(crate) next: Cell<Option<&'a Boxed<'a>>>,
    pub(crate) edges: [Cell<Option<&'a Boxed<'a>>>; 4],
}

/// A node in a `Vec`, which leads by indices.
#[derive(Debug)]
pub(crate) struct Flat {
    pub(crate) id: u64,
    pub(crate) score: f64,
    pub(crate) name: [u8; NAME],
    pub(crate) next: usize,
    pub(crate) edges: [usize; 4],
}

/// A node in a `Vec` that owns a string and a `Vec`.
#[derive(Debug)]
pub(crate) struct Rich {
    pub(crate) id: u64,
    pub(crate) score: f64,
    pub(crate) name: String,
    pub(crate) next: usize,
    pub(crate) edges: Vec<usize>,
}

/// Boxes, not linked yet.
#[allow(clippy::vec_box, reason = "a place of its own for each node is what is measured")]
pub(crate) fn boxes<'a>(graph: &Graph) -> Vec<Box<Boxed<'a>>> {
    (0..graph.len() as u64)
        .map(|id| {
            let (next, edges) = (Cell::new(None), [const { Cell::new(None) }; 4]);
            Box::new(Boxed { id, score: score(id), name: name(id), next, edges })
        })
        .collect()
}

/// Links boxes as the graph says.
pub(crate) fn link<'a>(boxes: &'a [Box<Boxed<'a>>], graph: &Graph) {
    for (number, node) in boxes.iter().enumerate() {
        node.next.set(Some(&boxes[graph.next[number] as usize]));
        for (edge, &to) in node.edges.iter().zip(&graph.edges[number]) {
            edge.set(Some(&boxes[to as usize]));
        }
    }
}

pub(crate) fn flats(graph: &Graph) -> Vec<Flat> {
    (0..graph.len())
        .map(|number| {
            let (id, next) = (number as u64, graph.next[number] as usize);
            let edges = graph.edges[number].map(|edge| edge as usize);
            Flat { id, score: score(id), name: name(id), next, edges }
        })
        .collect()
}

pub(crate) fn riches(graph: &Graph) -> Vec<Rich> {
    (0..graph.len())
        .map(|number| {
            let (id, next) = (number as u64, graph.next[number] as usize);
            let name = std::str::from_utf8(&name(id)).expect("digits are UTF-8").to_owned();
            let mut edges = Vec::with_capacity(4);
            edges.extend(graph.edges[number].iter().map(|&edge| edge as usize));
            Rich { id, score: score(id), name, next, edges }
        })
        .collect()
}

/// A file that was written before, for the cheapest durable write there is.
#[derive(Debug)]
pub(crate) struct RawLog {
    file: File,
    at: u64,
}

/// Length of the raw log in bytes.
const RAW: u64 = 64 << 20;

impl RawLog {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let file = File::options().read(true).write(true).create(true).truncate(true).open(path)?;
        let zeros = [0; 4096];
        (0..RAW).step_by(zeros.len()).try_for_each(|at| file.write_all_at(&zeros, at))?;
        file.sync_all()?;
        Ok(Self { file, at: 0 })
    }

    /// Writes behind what was written last.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.at + bytes.len() as u64 > RAW {
            self.at = 0;
        }
        self.file.write_all_at(bytes, self.at)?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// 4 KiB, durable.
    pub(crate) fn commit(&mut self) -> io::Result<()> {
        self.write(&[7; 4096])?;
        self.file.sync_data()
    }
}

/// A CRC-32 pass over a file in small pieces: its checksum.
pub(crate) fn checksum(path: &Path) -> io::Result<u32> {
    let (file, len) = (File::open(path)?, path.metadata()?.len());
    let mut piece = vec![0; 256 << 10];
    let mut hasher = crc32fast::Hasher::new();
    let mut at = 0;
    while at < len {
        let count = (len - at).min(piece.len() as u64) as usize;
        file.read_exact_at(&mut piece[..count], at)?;
        hasher.update(&piece[..count]);
        at += count as u64;
    }
    Ok(hasher.finalize())
}

/// A file in memory, with its checksum.
pub(crate) fn read_and_checksum(path: &Path) -> io::Result<(Vec<u8>, u32)> {
    let bytes = std::fs::read(path)?;
    let sum = crc32fast::hash(&bytes);
    Ok((bytes, sum))
}
