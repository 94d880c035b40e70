//! The manifest: what an image says about itself, behind its content.
//!
//! The header names offset and length of the manifest: an rkyv archive of [`Manifest`], then a trailer of 48 bytes.
//! The image's content hash does not cover it, so that two dumps of one state have one hash.
//!
//! | OFFSET | SIZE | MEANING |
//! |--------|------|---------|
//! | 0      | 8    | magic `IMGMANIF` |
//! | 8      | 8    | length of the archive in bytes |
//! | 16     | 32   | BLAKE3 of the archive |

use heap::read::Source;
use rkyv::{Archive, Deserialize, Serialize, rancor};

use crate::error::{Error, Result};

/// Length of the trailer in bytes.
pub const TRAILER: usize = 48;
/// First bytes of the trailer.
pub const TRAILER_MAGIC: [u8; 8] = *b"IMGMANIF";
/// The longest manifest that is read, in bytes.
pub const MAX_MANIFEST: u64 = 16 * 1024 * 1024;

/// What an image says about itself.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Default)]
pub struct Manifest {
    /// The program whose heap it was.
    pub program: String,
    /// The program's build.
    pub build: String,
    /// Fingerprint of the schema, and zeros.
    pub schema: [u8; 32],
    /// Sequence of the last commit in it.
    pub sequence: u64,
    /// Epoch of the log it came from.
    pub epoch: u64,
    /// Whether that commit was durable when it was dumped.
    pub durable: bool,
    /// Records of each type, in the order of the tables.
    pub types: Vec<TypeTotal>,
    /// What was left out or made harmless; `None` for an image that was not redacted.
    pub redaction: Option<Redaction>,
    /// Where and when it was made; `None` where images of one state are to be equal.
    pub provenance: Option<Provenance>,
}

/// Records of a type.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct TypeTotal {
    /// Declared name.
    pub name: String,
    /// Live records.
    pub records: u64,
}

/// What was done to secrets.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Default)]
pub struct Redaction {
    /// Fields that were made harmless.
    pub fields: Vec<RedactedField>,
    /// Records left out, because only secret references led to them.
    pub left_out: u64,
    /// Why secrets were included, where they were.
    pub reason: Option<String>,
}

/// A field that was made harmless.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct RedactedField {
    /// `User.token`, or the name of a pattern.
    pub field: String,
    /// "zero", "token", "drop", or "pattern".
    pub mode: String,
    /// Values.
    pub count: u64,
}

/// Where and when an image was made.
#[derive(Archive, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Default)]
pub struct Provenance {
    /// Drawn for each dump.
    pub dump_id: [u8; 16],
    /// Name of the machine, empty for an anonymous dump.
    pub host: String,
    /// Seconds since 1970.
    pub time: u64,
}

impl Manifest {
    /// The manifest's bytes, its trailer included. The same manifest gives the same bytes.
    ///
    /// # Errors
    /// When it is longer than a reader would take.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let archive = rkyv::to_bytes::<rancor::Error>(self).map_err(|error| Error::Manifest(error.to_string()))?;
        let mut bytes = archive.to_vec();
        let hash = blake3::hash(&bytes);
        let len = bytes.len() as u64;
        bytes.extend_from_slice(&TRAILER_MAGIC);
        bytes.extend_from_slice(&len.to_le_bytes());
        bytes.extend_from_slice(hash.as_bytes());
        if bytes.len() as u64 > MAX_MANIFEST {
            return Err(Error::Manifest(format!("{} bytes are too many", bytes.len())));
        }
        Ok(bytes)
    }

    /// Reads a manifest, its trailer included.
    ///
    /// # Errors
    /// When a bit of it is damaged.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let fault = |what: &str| Err(Error::Manifest(what.into()));
        let Some((archive, trailer)) = bytes.split_last_chunk::<TRAILER>() else { return fault("it is cut short") };
        if trailer[..8] != TRAILER_MAGIC || trailer[8..16] != (archive.len() as u64).to_le_bytes() {
            return fault("its trailer is not one");
        }
        if trailer[16..] != *blake3::hash(archive).as_bytes() {
            return fault("its hash is another");
        }
        rkyv::from_bytes::<Self, rancor::Error>(archive).map_err(|error| Error::Manifest(error.to_string()))
    }

    /// Reads the manifest that a header names.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    pub fn read<S: Source + ?Sized>(source: &S, at: u64, len: u64) -> Result<Self> {
        if len > MAX_MANIFEST {
            return Err(Error::Manifest(format!("{len} bytes are too many")));
        }
        let mut bytes = vec![0; len as usize];
        source.read_at(at, &mut bytes).map_err(|error| Error::Manifest(error.to_string()))?;
        Self::parse(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_a_manifest_is_found() {
        let manifest = Manifest {
            program: "board".into(),
            types: vec![TypeTotal { name: "Node".into(), records: 3 }],
            provenance: Some(Provenance::default()),
            ..Manifest::default()
        };
        let bytes = manifest.to_bytes().unwrap();
        assert_eq!(Manifest::parse(&bytes).unwrap(), manifest);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Manifest::parse(&damaged).is_err());
        }
        assert!((0..bytes.len()).all(|len| Manifest::parse(&bytes[..len]).is_err()));
    }
}
