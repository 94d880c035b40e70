//! tmp
use crate::*;
use migrate::*;
macro_rules! rec { ($n:ident { $($f:ident: $t:ty),* }) => {
 pub struct $n { $(pub $f: $t),* }
 unsafe impl crate::field::Field for $n { const OWNER: bool = false $(|| <$t as crate::field::Field>::OWNER)*;
  fn describe(d: &mut Describer) -> Shape { d.define::<Self>(stringify!($n).to_owned(), |d| TypeDescriptor { name: stringify!($n).to_owned(), size: size_of::<Self>() as u32, align: align_of::<Self>() as u32, attributes: Default::default(), body: Body::Struct(vec![$(migrate::Field { name: stringify!($f).to_owned(), offset: std::mem::offset_of!(Self, $f) as u32, shape: <$t as crate::field::Field>::describe(d), attributes: Default::default() }),*]) }) } }
 unsafe impl crate::field::Record for $n { fn name() -> String { stringify!($n).to_owned() } }
}}
rec!(Node { id: u64, score: f64, name: Text, next: Option<Ref<Node>>, edges: List<Ref<Node>>, flag: bool });
rec!(Board { title: Text, nodes: List<Ref<Node>> });
#[test]
fn smoke() {
    let dir = tempfile::tempdir().unwrap();
    let p = dir.path().join("a.heap");
    let n = 1000u64;
    {
        let heap = Heap::open(&p).unwrap();
        let mut tx = heap.write().unwrap();
        let b = tx.root_or_insert("board", |tx| Ok(Board { title: tx.text("hello")?, nodes: tx.list()? })).unwrap();
        let mut v = Vec::new();
        for i in 0..n {
            let name = tx.text(&format!("node-{i:011}")).unwrap();
            let edges = tx.list_with_capacity(4).unwrap();
            let r =
                tx.insert(Node { id: i, score: i as f64 * 0.5, name, next: None, edges, flag: i % 2 == 0 }).unwrap();
            v.push(r);
            let l = tx[b].nodes;
            l.push(&mut tx, r).unwrap();
        }
        for i in 0..n as usize {
            tx[v[i]].next = Some(v[(i * 7 + 1) % n as usize]);
            for k in 0..4 {
                let l = tx[v[i]].edges;
                l.push(&mut tx, v[(i * k + 3) % n as usize]).unwrap();
            }
        }
        println!("{:?}", tx.commit().unwrap());
        let mut tx = heap.write().unwrap();
        tx[v[3]].score = 99.0;
        tx.remove(v[5]).unwrap();
        tx.commit().unwrap();
        let mut tx = heap.write().unwrap();
        tx[v[3]].score = 1.0;
        let t = tx.text("x").unwrap();
        tx[v[4]].name = t;
        drop(tx);
        let tx = heap.read();
        assert_eq!(tx[v[3]].score, 99.0);
        assert!(tx.get(v[5]).is_err());
        println!("{}", tx.get(v[5]).err().unwrap());
        assert_eq!(&tx[tx[v[4]].name], "node-00000000004");
        drop(tx);
        let mut tx = heap.write().unwrap();
        let x = tx[v[6]].name;
        tx[v[7]].name = x;
        println!("{}", tx.commit().unwrap_err());
        println!("{:?}", heap.stats());
    }
    for k in 0..3 {
        let heap = Heap::open(&p).unwrap();
        println!("{:?}", heap.stats());
        let tx = heap.read();
        let b = tx.root::<Board>("board").unwrap().unwrap();
        let mut c = 0;
        for &r in &tx[tx[b].nodes] {
            if let Ok(node) = tx.get(r) {
                assert_eq!(tx[node.name], format!("node-{:011}", node.id));
                assert_eq!(tx[node.edges].len(), 4);
                c += 1;
            }
        }
        assert_eq!(c, n - 1);
        assert_eq!(tx.count::<Node>().unwrap(), n - 1);
        drop(tx);
        println!("collected {}", heap.collect().unwrap());
        let mut tx = heap.write().unwrap();
        let b = tx.root::<Board>("board").unwrap().unwrap();
        let t = tx.text(&format!("title {k}")).unwrap();
        tx[b].title = t;
        tx.commit().unwrap();
        if k == 1 {
            std::mem::forget(heap);
            let s = std::process::Command::new("true").status();
            let _ = s;
        }
        if k == 1 {
            break;
        }
    }
}
