//! Small changes of a valid file, and its checksums made right again.

use heap::format::BLOCK;
use heap::format::catalog::{CatalogRoot, ROOT_AT, ROOT_LEN, Stream};
use heap::format::header::{FileState, Header, PAGE};
use heap::read::fixture::sum_blocks;

/// A valid file, and where in it there is something to change.
pub struct Valid {
    /// The file.
    pub bytes: Vec<u8>,
    /// Offsets of the words that are not zero, and of those behind them.
    words: Vec<usize>,
}

impl Valid {
    /// Takes a file apart.
    pub fn new(bytes: Vec<u8>) -> Self {
        let sums = root_of(&bytes).map(|root| root.streams[Stream::Checksums as usize]).expect("the file is valid");
        let mut words = Vec::new();
        let mut before = false;
        for (number, word) in bytes.chunks_exact(8).enumerate() {
            let at = number * 8;
            let holds = word != [0; 8];
            let mended = (sums.at..sums.at + sums.capacity).contains(&(at as u64)) || at == PAGE - 8;
            if (holds || before) && !mended {
                words.push(at);
            }
            before = holds;
        }
        Self { bytes, words }
    }

    /// The file after the changes that `patches` asks for, twelve bytes each, checksums and hash mended.
    pub fn patched(&self, patches: &[u8]) -> Vec<u8> {
        let mut file = self.bytes.clone();
        for patch in patches.chunks_exact(12) {
            let (what, within) = (patch[0], usize::from(patch[1] % 8));
            let place = usize::from(u16::from_le_bytes([patch[2], patch[3]]));
            let value = u64::from_le_bytes(patch[4..].try_into().expect("a patch has eight bytes of value"));
            let at = self.words[place % self.words.len()];
            let word = word_at(&file, at);
            let half = at + within / 4 * 4;
            match what % 8 {
                0 => put(&mut file, at, &value.to_ne_bytes()),
                1 => put(&mut file, at + within, &[value as u8]),
                // Handles that name something real are worth more than any others.
                2 => {
                    let other = word_at(&self.bytes, self.words[value as usize % self.words.len()]);
                    put(&mut file, at, &other.to_ne_bytes());
                }
                3 => put(&mut file, at, &word.wrapping_add_signed((value as i8).into()).to_ne_bytes()),
                4 => put(&mut file, half, &(value as u32).to_ne_bytes()),
                5 => put(&mut file, at, &[0; 8]),
                6 => {
                    let half_word = (word >> (within / 4 * 32)) as u32;
                    put(&mut file, half, &half_word.wrapping_add_signed((value as i8).into()).to_ne_bytes());
                }
                _ => {
                    let anywhere = value as usize % file.len();
                    put(&mut file, anywhere, &patch[1..2]);
                }
            }
        }
        mend(&mut file);
        file
    }
}

fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

fn word_at(file: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(file[at..at + 8].try_into().expect("a word has eight bytes"))
}

fn root_of(file: &[u8]) -> Option<CatalogRoot> {
    let bytes = file.get(ROOT_AT as usize..)?.first_chunk::<ROOT_LEN>()?;
    CatalogRoot::parse(bytes, file.len() as u64).ok()
}

/// Computes the checksum of every block, an image's content hash, and the checksum of the first header page, as far
/// as the file still says where they are.
pub fn mend(file: &mut [u8]) {
    let Some(page) = file.first_chunk_mut::<PAGE>() else { return };
    mend_page(page);
    let header = Header::parse(page);
    let used = header.as_ref().map_or(u64::MAX, |header| header.file_len).min(file.len() as u64) as usize;
    if let Some(root) = root_of(&file[..used]) {
        let sums = root.streams[Stream::Checksums as usize];
        if sums.len >= used as u64 / BLOCK * 4 {
            sum_blocks(&mut file[..used], &root);
        }
    }
    if let Ok(mut header) = header
        && header.state == FileState::Image
    {
        header.content_hash = *blake3::hash(&file[BLOCK as usize..used.max(BLOCK as usize)]).as_bytes();
        file[..PAGE].copy_from_slice(&header.to_page());
    }
}

/// Computes the checksum of a header page.
pub fn mend_page(page: &mut [u8; PAGE]) {
    let crc = crc32fast::hash(&page[..PAGE - 4]);
    page[PAGE - 4..].copy_from_slice(&crc.to_le_bytes());
}
