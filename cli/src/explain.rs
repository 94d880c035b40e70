//! The catalogue of error codes.
//!
//! The hundreds of a code are its exit code; the exceptions are listed in the tests with their reasons.

use serde::Serialize;

use crate::failure::Exit;

/// What an error code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Explanation {
    /// `IMG-nnnn`.
    pub(crate) code: &'static str,
    /// The exit code of a command that fails with it.
    #[serde(serialize_with = "as_number")]
    pub(crate) exit: Exit,
    /// In a few words.
    pub(crate) title: &'static str,
    /// What it means and how it comes about.
    pub(crate) meaning: &'static str,
    /// What to do.
    pub(crate) remedy: &'static str,
}

// Called by serde, which hands over a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn as_number<S: serde::Serializer>(exit: &Exit, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u8(*exit as u8)
}

/// The explanation of a code.
pub(crate) fn find(code: &str) -> Option<&'static Explanation> {
    CATALOGUE.iter().find(|explanation| explanation.code == code)
}

const fn entry(
    code: &'static str,
    exit: Exit,
    title: &'static str,
    meaning: &'static str,
    remedy: &'static str,
) -> Explanation {
    Explanation { code, exit, title, meaning, remedy }
}

/// All codes, in order.
pub(crate) const CATALOGUE: &[Explanation] = &[
    entry(
        "IMG-0101",
        Exit::No,
        "the handle is stale",
        "A reference names a record that was removed, or that a rolled-back transaction had made. Its slot may hold \
         another record by now; the generation in the reference tells them apart, so nothing wrong was read.",
        "Look records up again from a root instead of keeping references to what may be removed. `image verify` counts \
         stale references stored in a heap; they are legal.",
    ),
    entry(
        "IMG-0102",
        Exit::No,
        "the handle is foreign",
        "A handle names a record of another type, or nothing that could be a record. Most often it comes from another \
         heap, or was kept across opening another file.",
        "Use a handle only with the heap that gave it out.",
    ),
    entry(
        "IMG-0103",
        Exit::No,
        "the position is out of range",
        "A list was asked for an element behind its end.",
        "Ask for its length first, or use the form that gives an Option.",
    ),
    entry(
        "IMG-0104",
        Exit::No,
        "one record was asked for twice",
        "Several records were to be changed side by side, and two of the handles are the same.",
        "Remove duplicates from the handles, or change the records one after the other.",
    ),
    entry(
        "IMG-0110",
        Exit::No,
        "the tour's promise did not hold",
        "A check of `image demo` found another state than the program had committed. This is a bug in the heap or in \
         the tour.",
        "Run `image demo --keep DIR` and report it together with the files in DIR.",
    ),
    entry(
        "IMG-0201",
        Exit::Usage,
        "the command line is not understood",
        "An option, a command or a value is not known, is missing, or does not go with another one. Nothing was done.",
        "`image COMMAND --help` shows what the command takes.",
    ),
    entry(
        "IMG-0202",
        Exit::Usage,
        "the input is not a Cargo.lock",
        "`image demo --input` reads a Cargo.lock: TOML with [[package]] entries whose dependencies are packages of the \
         same file.",
        "Give the Cargo.lock of a Cargo workspace, or leave --input out to use a built-in one.",
    ),
    entry(
        "IMG-0203",
        Exit::Usage,
        "the file is not a schema",
        "A schema is the JSON that `image schema HEAP --json` prints and that schema_lock! keeps in schema.lock. This \
         file is something else, or its types contradict themselves or each other, or no heap can hold one.",
        "The cause names the place. Make the file anew: image schema HEAP --json > schema.json",
    ),
    entry(
        "IMG-0204",
        Exit::Usage,
        "the file of answers is not understood",
        "Answers are TOML: a table for each type, with rename, drop, lossy, default, unsecret, keep_secret and becomes; \
         above them drop_types, and types in [rename]. An unknown key is refused, for a slip in it must not be passed \
         over.",
        "The cause names the line. Correct it, or remove the file and answer the questions at a terminal.",
    ),
    entry(
        "IMG-0210",
        Exit::Usage,
        "the path leads nowhere",
        "The record is there, but a step of the path behind it is not: it has no such field, or no so many elements, or \
         a reference on the way leads to a record that was removed.",
        "`image show FILE RECORD` shows the fields that the record has.",
    ),
    entry(
        "IMG-0301",
        Exit::Decision,
        "a value has two owners",
        "A transaction stored one text, list or map in two places. Each has exactly one owner, so that it can be freed \
         with it. The transaction was rolled back.",
        "Store a copy in one of the two places, or keep the value in a record of its own and refer to that.",
    ),
    entry(
        "IMG-0302",
        Exit::Decision,
        "a dangling handle was written",
        "A transaction stored a handle of a text, list or map that does not live in this heap. The transaction was \
         rolled back.",
        "Make values in the transaction that stores them, and do not store them after they were removed.",
    ),
    entry(
        "IMG-0303",
        Exit::Decision,
        "the heap has no disk behind it",
        "A commit of strength Disk was asked of a heap that lives in memory only, such as one over an image.",
        "Commit with strength Process, or make a heap of it first with save_as.",
    ),
    entry(
        "IMG-0304",
        Exit::Decision,
        "the thread would wait for itself",
        "A thread asked to write while it reads, or the other way round. Waiting would never end.",
        "Drop the first guard before asking for the other, or read through the transaction that writes.",
    ),
    entry(
        "IMG-0305",
        Exit::Decision,
        "the root's name is too short or too long",
        "The name of a root must not be empty and must fit its entry in the file.",
        "Choose another name.",
    ),
    entry(
        "IMG-0306",
        Exit::Decision,
        "the root holds another type",
        "The program asked for a root as one type, and the heap has a record of another type under that name.",
        "`image info FILE` lists the roots with their types. Ask for the right type, or use another name.",
    ),
    entry(
        "IMG-0307",
        Exit::Decision,
        "the value is too long",
        "A text, a list or a map would grow beyond what the file format can express.",
        "Cut the value, or spread it over several records.",
    ),
    entry(
        "IMG-0308",
        Exit::Decision,
        "the process is a fork",
        "The heap was opened before a fork, and the child tried to write. Two writers would destroy it.",
        "Write in the parent, or let the child open the heap itself after the parent closed it.",
    ),
    entry(
        "IMG-0309",
        Exit::Decision,
        "image and heap were confused",
        "A sealed image was opened as a live heap, or a live heap as an image.",
        "Use Heap::open_image for images and Heap::open for heaps; the message names the right one.",
    ),
    entry(
        "IMG-0310",
        Exit::Decision,
        "the keys of a map crowd",
        "So many keys of one hash map take the same path through it that growing does not help. The hash is keyed per \
         heap, so this does not happen by chance: somebody who knows the heap's key chose the keys.",
        "Do not show heap files to whoever chooses keys, or use a SortedMap, which does not hash.",
    ),
    entry(
        "IMG-0401",
        Exit::Damaged,
        "the file is neither heap nor image",
        "It does not begin with the bytes that every heap and image begins with. It may be empty, cut, compressed, or \
         something else altogether.",
        "Check the path. `head -c 8 FILE` of a heap prints IMGHEAP.",
    ),
    entry(
        "IMG-0402",
        Exit::Damaged,
        "the header is damaged",
        "Neither of the two header pages is whole. A crash leaves at least one, so the file was changed or lost bytes \
         on the disk or on its way.",
        "Take another copy of the file. If there is none, keep this one untouched; the records behind the header may \
         still be whole.",
    ),
    entry(
        "IMG-0403",
        Exit::Damaged,
        "a checksum does not fit",
        "A block holds other bytes than were written: a bad disk, memory or copy, or somebody edited the file.",
        "`image verify FILE` lists all such places. Take another copy, or the newest image of the heap.",
    ),
    entry(
        "IMG-0404",
        Exit::Damaged,
        "the file is too short",
        "The header or the catalog speaks of bytes behind the end of the file. Most often a copy was interrupted.",
        "Copy the file again and compare the lengths.",
    ),
    entry(
        "IMG-0405",
        Exit::Damaged,
        "a structure is damaged",
        "The bytes are those that were written, by their checksum, but they make no sense together. The file was made \
         by a program with a bug, or made to look like a heap.",
        "`image verify FILE` says where. Do not open the file in a program that trusts it.",
    ),
    entry(
        "IMG-0406",
        Exit::Damaged,
        "the manifest is damaged",
        "The part of an image that says where it comes from is not what was written, or speaks of another heap.",
        "Take another copy of the image, or dump again. The records may be whole: `image types FILE` reads them.",
    ),
    entry(
        "IMG-0407",
        Exit::Damaged,
        "the image is not what was sealed",
        "Its content has another hash or length than when it was sealed, although every block it was read from fits \
         its checksum: somebody changed it, or bytes were added or lost.",
        "Take another copy of the image, or dump again.",
    ),
    entry(
        "IMG-0408",
        Exit::Damaged,
        "values lie too deep in each other",
        "A value owns another one, and so on, deeper than any program makes them: they own each other in a circle.",
        "`image verify FILE` says where.",
    ),
    entry(
        "IMG-0501",
        Exit::NotFound,
        "there is no such process",
        "No process of that number runs on this machine, or it is hidden from you (another container, hidepid).",
        "`image ps` lists processes with open heaps.",
    ),
    entry(
        "IMG-0502",
        Exit::NotFound,
        "there is no such file",
        "The path leads nowhere from here.",
        "Check the path; relative ones start in the current folder.",
    ),
    entry(
        "IMG-0503",
        Exit::NotFound,
        "the process has no heap open",
        "The process runs, but no control file speaks of it and none of its open files is a heap.",
        "`image ps` lists processes with open heaps. A heap that no process has open is dumped by its path.",
    ),
    entry(
        "IMG-0504",
        Exit::NotFound,
        "there is no such record",
        "The heap has no type, no record or no root of that name, or the record was removed.",
        "`image types FILE` lists the types, `image info FILE` the roots.",
    ),
    entry(
        "IMG-0505",
        Exit::NotFound,
        "there is no such error code",
        "The catalogue of this version does not have it.",
        "`image explain` lists all codes. A newer version may know more of them.",
    ),
    entry(
        "IMG-0601",
        Exit::NotPermitted,
        "the output may not be written there",
        "The folder or the file system does not let you write.",
        "Choose another place with -o.",
    ),
    entry(
        "IMG-0602",
        Exit::Decision,
        "the output exists",
        "A file of that name exists, and no command overwrites a file unasked.",
        "Choose another name, or repeat the command with --force: the old file is replaced in one step, once the new \
         one is whole.",
    ),
    entry(
        "IMG-0610",
        Exit::NotPermitted,
        "the file or process may not be read",
        "Heaps and images have mode 0600 unless their creator widened it; open files of a process are seen by its own \
         user only.",
        "Run the command as the owner: sudo -u OWNER image ...",
    ),
    entry(
        "IMG-0611",
        Exit::NotPermitted,
        "only the heap's owner may dump secrets",
        "With --include-secrets the values of fields marked secret leave the machine. That is for the user to decide \
         who owns the heap, and needs a confirmation.",
        "Leave --include-secrets out, or run as the owner with --reason TEXT --yes.",
    ),
    entry(
        "IMG-0612",
        Exit::NotPermitted,
        "the heap has secret fields and they cannot be redacted yet",
        "Fields are marked #[record(secret)], and this version of the command cannot leave their values out of an \
         image. So it makes none.",
        "The heap's owner can make a full image with --include-secrets; keep it as safe as the heap itself.",
    ),
    entry(
        "IMG-0613",
        Exit::Decision,
        "secrets leave only after a confirmation",
        "With --include-secrets a person confirms by typing the heap's file name; in a pipe nobody can, and what was \
         typed was not the name.",
        "Type the name as asked, or confirm in advance with --yes and --reason TEXT.",
    ),
    entry(
        "IMG-0701",
        Exit::Incompatible,
        "the file is of another version",
        "Its format version or one of its features is not known to this build.",
        "Use the version of the command, or build the program with the version of the library, that wrote it or a \
         newer one.",
    ),
    entry(
        "IMG-0702",
        Exit::Incompatible,
        "the layouts differ",
        "A type of the program has another layout than the heap holds, and no plan leads from one to the other.",
        "The message names the first difference. Say where the new fields come from (was, default, from, dropped), or \
         open the heap with the program that wrote it.",
    ),
    entry(
        "IMG-0703",
        Exit::Decision,
        "a change needs an answer",
        "The program's types differ from the heap's in a way that could lose values, and nobody said what is meant: \
         renamed or dropped, rounded or not, secret or not. It is never guessed, and nothing was changed.",
        "Write one of the lines that the message names into the program (was, dropped, default, a hook) or into the file \
         of answers, or run `image migrate` at a terminal, which asks and writes that file.",
    ),
    entry(
        "IMG-0704",
        Exit::Incompatible,
        "two types have one name",
        "A heap knows types by their declared names, and two types of the program declare the same.",
        "Give one of them another name: #[record(name = \"...\")].",
    ),
    entry(
        "IMG-0705",
        Exit::Incompatible,
        "a migration hook failed",
        "The program's own code, which makes records of a changed type out of old ones, returned an error or panicked. \
         The migration is one commit that was not made, so the heap is what it was.",
        "The cause names the record and the place in the code. `image show HEAP RECORD` shows the record as it is; mend \
         the hook or the record, and run again.",
    ),
    entry(
        "IMG-0706",
        Exit::Incompatible,
        "no heap can hold the type",
        "The type has something that cannot outlive the process or has no canonical form.",
        "The message names the part. Replace it, or keep the type out of the heap.",
    ),
    entry(
        "IMG-0707",
        Exit::Incompatible,
        "the platform is not supported",
        "The file system, the kernel or the machine lacks what a live heap needs, such as coherent maps and locks. \
         Images can be read everywhere.",
        "Put the heap on a local disk of a 64-bit Linux machine.",
    ),
    entry(
        "IMG-0708",
        Exit::Incompatible,
        "the heap is to be migrated first",
        "The heap's types differ from the program's, or it is of another byte order, and the program was told to migrate \
         nothing when it opens a heap (Options::migrate). Nothing was changed.",
        "`image migrate HEAP --to PROGRAM --plan` shows the plan; without --plan it is carried out.",
    ),
    entry(
        "IMG-0709",
        Exit::Incompatible,
        "the program does not answer",
        "The command starts the program named by --to and asks for its types. A program that does not link heap, or \
         does not call heap::answer first in its main, just runs: after 5 s without an answer it is ended. Or the answer \
         made no sense, or the program ended in the middle of it.",
        "Make heap::answer::<(…)>(); with the program's record types the first line of its main. Or give a schema.json \
         where no hooks are needed.",
    ),
    entry(
        "IMG-0710",
        Exit::Decision,
        "commits were made since the migration",
        "Rolling a migration back gives the heap the state before it, so everything committed since would be lost. That \
         is done only when the number of those commits is said, and is right.",
        "`image migrate HEAP --rollback --lose-commits N` with the number that was told. Or go on with the migrated heap \
         (`image keep` frees the room), or migrate back: with a down hook, or a plan whose steps all have an inverse.",
    ),
    entry(
        "IMG-0711",
        Exit::NotFound,
        "there is no migration to roll back",
        "The heap was never migrated, its migration was rolled back already, or the way back was given up with \
         `image keep`.",
        "`image info --history` shows what migrations did. To go back, migrate with a down hook or an inverse plan.",
    ),
    entry(
        "IMG-0712",
        Exit::Incompatible,
        "an old record has no such field",
        "A migration hook asked an old record, by name, for a field that its layout does not have, or as a type that the \
         rules of migrations do not lead to, or as one in which this value does not fit. The heap is as it was.",
        "Ask `OldRecord::has` first, or read the field as the type that the message names. `image schema HEAP` shows the \
         old layout.",
    ),
    entry(
        "IMG-0801",
        Exit::Busy,
        "the heap is open elsewhere",
        "One process at a time writes to a heap, and another one has it open.",
        "`image ps` shows who. `image dump` works beside it.",
    ),
    entry(
        "IMG-0802",
        Exit::Busy,
        "the arena is full",
        "The heap has used all the address space that was reserved when it was opened. The transaction was rolled \
         back.",
        "Open the heap with a larger Options::reserve.",
    ),
    entry(
        "IMG-0803",
        Exit::Io,
        "the disk is full",
        "There is no room for a commit. The transaction was rolled back, and the heap goes on.",
        "Make room (`df -h`) and try again.",
    ),
    entry(
        "IMG-0804",
        Exit::Busy,
        "the heap went on before it was read",
        "A dump took so long that the program would have filled the disk by waiting for it, so the log went on \
         without; or the heap was opened anew meanwhile, and what was in its log went into the file. Nothing is damaged; \
         the unfinished dump was thrown away.",
        "Dump again; where it happens again, onto a faster disk, or raise the heap's log limit.",
    ),
    entry(
        "IMG-0901",
        Exit::Io,
        "reading or writing failed",
        "The system answered a read, a write or a lock with an error; the cause is its own words.",
        "Look into `dmesg` for errors of the disk.",
    ),
    entry(
        "IMG-0902",
        Exit::Io,
        "the heap must be opened again",
        "A write or a sync failed earlier, so nobody knows what reached the disk, and the heap refuses everything \
         rather than build on that.",
        "Mend the cause that the message names and open the heap again: recovery finds out what was committed.",
    ),
    entry(
        "IMG-0903",
        Exit::Io,
        "the output could not be written",
        "Writing to the output or to standard output failed. An output file appears whole or not at all, so nothing is \
         left of it.",
        "Make room, or choose another place with -o.",
    ),
    entry(
        "IMG-0904",
        Exit::Io,
        "a program of the tour failed",
        "`image demo` starts itself as the program with the live heap; it did not start, stopped early or did not \
         answer.",
        "The cause is what the program said. `image demo --keep DIR` keeps its files.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes whose exit code is not their hundreds.
    const EXCEPTIONS: &[(&str, Exit)] = &[
        // It stands with the other troubles of outputs, and a person decides whether to overwrite.
        ("IMG-0602", Exit::Decision),
        // It stands with the other questions of secrets, and a person decides whether they leave.
        ("IMG-0613", Exit::Decision),
        // They stand with the other refusals of migrations: a person decides what becomes of the commits, and a way back
        // that is not there is not found.
        ("IMG-0703", Exit::Decision),
        ("IMG-0710", Exit::Decision),
        ("IMG-0711", Exit::NotFound),
        // It stands with the other limits; to a script a full disk is an I/O error.
        ("IMG-0803", Exit::Io),
    ];

    #[test]
    fn every_code_of_the_heap_is_explained() {
        for code in heap::Error::CODES {
            assert!(find(code).is_some(), "{code}");
        }
    }

    #[test]
    fn codes_are_in_order_and_once() {
        assert!(CATALOGUE.windows(2).all(|pair| pair[0].code < pair[1].code));
    }

    #[test]
    fn hundreds_are_exit_codes() {
        for explanation in CATALOGUE {
            let hundreds: u8 = explanation.code["IMG-".len()..][..2].parse().unwrap();
            let exception = EXCEPTIONS.iter().find(|(code, _)| *code == explanation.code);
            let expected = exception.map_or(hundreds, |(_, exit)| *exit as u8);
            assert_eq!(explanation.exit as u8, expected, "{}", explanation.code);
        }
    }

    #[test]
    fn texts_are_whole_and_on_one_line() {
        for explanation in CATALOGUE {
            for text in [explanation.meaning, explanation.remedy] {
                assert!(text.len() > 10 && !text.contains('\n') && !text.contains("  "), "{}", explanation.code);
            }
            assert!(!explanation.title.ends_with('.'), "{}", explanation.code);
        }
    }

    /// Every code that a source file of the command mentions can be explained.
    #[test]
    fn every_code_used_here_is_explained() {
        let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                for (at, _) in text.match_indices("Failure::new(\"IMG-").chain(text.match_indices("Self::new(\"IMG-")) {
                    let code = &text[at..][text[at..].find("IMG-").unwrap()..][..8];
                    assert!(find(code).is_some(), "{code} in {}", path.display());
                }
            }
        }
    }
}
