//! In which order a migration comes to what it rewrites.
//!
//! Regions whose records need nothing but their own bytes may be rewritten in any order and at the same time: every
//! record keeps its slot. What needs more is made afterwards by one thread, in the order of tables and of slots in
//! them, because new texts, lists, maps and records are given slots as they are made. So the result is the same,
//! whatever the order in which regions are come to.

/// The order in which regions are rewritten: as they lie, but in tests that ask for another one, which follows from a
/// number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Visits(Option<u64>);

impl Visits {
    /// As they lie.
    #[cfg(not(test))]
    pub(crate) const fn of(_: &crate::Options) -> Self {
        Self(None)
    }

    /// As the options ask for it.
    #[cfg(test)]
    pub(crate) const fn of(options: &crate::Options) -> Self {
        Self(options.visits)
    }

    /// Arranges what is to be visited.
    pub(crate) fn arrange<T>(self, visited: &mut [T]) {
        let Some(mut seed) = self.0 else { return };
        for position in (1..visited.len()).rev() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            visited.swap(position, (seed >> 33) as usize % (position + 1));
        }
    }
}

#[cfg(all(test, feature = "simulated"))]
mod tests {
    use std::path::Path;

    use crate::raw::laws::{NewBox, NewGrown, NewPart, OldBox, OldGrown, OldLid, OldPart};
    use crate::read::{Checks, Reader, Regions as _};
    use crate::{Heap, Options, Types};

    const COUNT: u32 = 6_000;

    /// Tables of several regions, with free slots: of records that are their own bytes, that own what changes, and that
    /// take others.
    fn build(path: &Path) {
        let options = Options { reserve: 1 << 32, seed: Some(7), announce: false, ..Options::default() };
        let heap = Heap::open_with(path, options).unwrap();
        let mut tx = heap.write().unwrap();
        let (mut part, mut grown) = (None, None);
        for id in 0..COUNT {
            let name = tx.text(&format!("part {id}")).unwrap();
            let sizes = tx.list_from(0..(id % 7) as u16).unwrap();
            part = Some(tx.insert(OldPart { id, name, sizes, next: part }).unwrap());
            grown = Some(tx.insert(OldGrown { id, filler: [id.into(); 160], next: grown }).unwrap());
            let names = tx.list_from([name.to_bits() as u16, 2]).unwrap();
            let lid = tx.insert(OldLid { names }).unwrap();
            let index = tx.map().unwrap();
            for key in 0..id % 4 {
                let value = tx.text(&format!("value {key} of {id}")).unwrap();
                index.insert(&mut tx, key, value).unwrap();
            }
            let old = tx.insert(OldBox { id, lid, index }).unwrap();
            if id % 5 == 0 {
                tx.remove(lid).unwrap();
                tx.remove(old).unwrap();
            }
        }
        tx.set_root("part", part.unwrap()).unwrap();
        tx.set_root("grown", grown.unwrap()).unwrap();
        tx.commit().unwrap();
    }

    /// What a migrated heap is, but for the time of its receipt: its image's tables, types, roots and regions.
    fn migrated(built: &Path, visits: Option<u64>) -> (String, Vec<Vec<u8>>) {
        let folder = tempfile::tempdir().unwrap();
        let (path, image) = (folder.path().join("visited.heap"), folder.path().join("visited.image"));
        std::fs::copy(built, &path).unwrap();
        let types = Some(Types::of::<(NewPart, NewGrown, NewBox)>().unwrap());
        let options = Options { reserve: 1 << 32, types, announce: false, visits, ..Options::default() };
        Heap::open_with(&path, options).unwrap_or_else(|error| panic!("{error}")).save_as(&image).unwrap();
        let file = std::fs::read(&image).unwrap();
        let reader = Reader::open(&file[..], &image, Checks::Strict).unwrap();
        let (catalog, loaded) = (reader.catalog(), reader.load().unwrap());
        let regions = catalog.regions().iter().map(|region| loaded.region(region.number).unwrap().to_vec());
        let described = format!("{:?} {:?} {:?}", catalog.tables(), catalog.roots(), catalog.registry());
        (described, regions.collect())
    }

    #[test]
    fn the_order_of_visits_makes_no_difference() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("built.heap");
        build(&path);
        let in_order = migrated(&path, None);
        assert!(in_order.1.len() > 9, "there is something to shuffle: {}", in_order.1.len());
        for seed in 0..4 {
            assert!(migrated(&path, Some(seed)) == in_order, "order {seed} gives another heap");
        }
    }
}
