//! A game whose world is the save file: creatures on a field hunt each other, and go on where they were.
//!
//! It shows structs and enums inline, a map that changes under a cursor, references to who is gone, and the strengths
//! of a commit: each turn survives the death of the process, the last one a power cut too.
//!
//! ```text
//! $ cargo run -p heap --example game -- world.heap 200
//! turn 200: Bo-9 with strength 39 is at 16, 17; 104 were born
//! $ cargo run -p heap --example game -- world.heap 100
//! turn 300: Bo-9 with strength 52 is at 19, 4; 142 were born
//! ```

use heap::{Durability, Heap, Read, Reader, Record, Ref, Result, SortedMap, Text, Transaction};

/// Width and height of the field, which has no edge: who leaves it on one side comes in on the other.
const FIELD: u32 = 24;

/// Where somebody is.
#[derive(Record, Clone, Copy, PartialEq, Eq)]
struct Position {
    x: u32,
    y: u32,
}

/// What a creature is about.
#[derive(Record, Clone, Copy)]
#[repr(u8)]
enum Mood {
    Wandering { dx: u32, dy: u32 },
    Hunting(Ref<Creature>),
}

/// Somebody on the field.
#[derive(Record)]
struct Creature {
    name: Text,
    at: Position,
    strength: u32,
    mood: Mood,
    /// Its key among the world's creatures.
    number: u64,
}

/// The root.
#[derive(Record)]
struct World {
    turn: u64,
    /// Who lives, by the order in which they came.
    creatures: SortedMap<u64, Ref<Creature>>,
    born: u64,
    random: u64,
}

/// The world's own dice, which are part of its state.
fn roll(tx: &mut Transaction<'_>, world: Ref<World>, below: u32) -> u32 {
    let random = &mut tx[world].random;
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*random >> 33) as u32 % below
}

/// A new creature somewhere.
fn bear(tx: &mut Transaction<'_>, world: Ref<World>) -> Result<()> {
    let number = tx[world].born;
    tx[world].born += 1;
    let name = tx.text(&format!("{}-{number}", ["Ada", "Bo", "Cy", "Di"][number as usize % 4]))?;
    let at = Position { x: roll(tx, world, FIELD), y: roll(tx, world, FIELD) };
    let mood = Mood::Wandering { dx: roll(tx, world, FIELD), dy: roll(tx, world, FIELD) };
    let strength = 10 + roll(tx, world, 10);
    let creature = tx.insert(Creature { name, at, strength, mood, number })?;
    tx[world].creatures.insert(tx, number, creature).map(drop)
}

/// One step of a coordinate towards another.
const fn towards(from: u32, to: u32) -> u32 {
    if from < to { from + 1 } else { from - (from > to) as u32 }
}

/// What a creature does in its turn; whom it ate.
fn act(tx: &mut Transaction<'_>, world: Ref<World>, creature: Ref<Creature>) -> Result<Option<Ref<Creature>>> {
    match tx[creature].mood {
        Mood::Wandering { dx, dy } => {
            let Position { x, y } = tx[creature].at;
            tx[creature].at = Position { x: (x + dx) % FIELD, y: (y + dy) % FIELD };
            let creatures = tx[world].creatures;
            let weaker = creatures.iter(tx)?.find(|&(_, &other)| tx[other].strength < tx[creature].strength);
            if let Some(prey) = weaker.map(|(_, &prey)| prey) {
                tx[creature].mood = Mood::Hunting(prey);
            }
        }
        // A reference to somebody who is gone is an error, never somebody else.
        Mood::Hunting(prey) => match tx.get(prey).map(|prey| prey.at) {
            Err(_) => tx[creature].mood = Mood::Wandering { dx: 1, dy: 2 },
            Ok(there) => {
                let here = tx[creature].at;
                tx[creature].at = Position { x: towards(here.x, there.x), y: towards(here.y, there.y) };
                if tx[creature].at == there {
                    tx[creature].strength += 1;
                    tx[creature].mood = Mood::Wandering { dx: 2, dy: 1 };
                    return Ok(Some(prey));
                }
            }
        },
    }
    Ok(None)
}

/// A turn of everybody. Dropped without a commit, all of it is taken back.
fn turn(tx: &mut Transaction<'_>, world: Ref<World>) -> Result<()> {
    let creatures = tx[world].creatures;
    // A cursor borrows nothing, so the loop may remove from the map that it goes through.
    let mut cursor = creatures.cursor();
    while let Some(number) = cursor.next(tx)? {
        let creature = *creatures.get(tx, &number)?.expect("a key that the cursor gave");
        if let Some(eaten) = act(tx, world, creature)? {
            let number = tx[eaten].number;
            creatures.remove(tx, &number)?;
            tx.remove(eaten)?;
            bear(tx, world)?;
        }
    }
    tx[world].turn += 1;
    Ok(())
}

fn print(read: &Read<'_>, world: Ref<World>) -> Result<()> {
    let world = &read[world];
    let creatures = world.creatures.iter(read)?.map(|(_, &creature)| read.get(creature)).collect::<Result<Vec<_>>>()?;
    let strongest = creatures.iter().max_by_key(|creature| creature.strength).expect("twelve live at all times");
    let (turn, born, Creature { strength, at: Position { x, y }, .. }) = (world.turn, world.born, strongest);
    println!("turn {turn}: {} with strength {strength} is at {x}, {y}; {born} were born", &read[strongest.name]);
    Ok(())
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let heap = Heap::open(arguments.next().expect("usage: game HEAP [TURNS]"))?;
    let turns = arguments.next().map_or(0, |turns| turns.parse().expect("a number of turns"));
    let mut tx = heap.write()?;
    let new = |tx: &mut Transaction<'_>| Ok(World { turn: 0, creatures: tx.sorted_map()?, born: 0, random: 42 });
    let world = tx.root_or_insert("world", new)?;
    (tx[world].born..12).try_for_each(|_| bear(&mut tx, world))?;
    let mut last = tx.commit()?;
    for _ in 0..turns {
        let mut tx = heap.write()?;
        turn(&mut tx, world)?;
        last = tx.commit_with(Durability::Process)?;
    }
    heap.wait_durable(last)?;
    print(&heap.read(), world)
}
