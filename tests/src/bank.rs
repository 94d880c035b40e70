//! A program with a law that holds at commit boundaries and nowhere else: money moves between accounts, is never made
//! and never lost, and every value says whose it is.

use heap::{Bytes, Durability, Heap, List, Read, Record, Ref, Result, Sequence, Text, Transaction};

/// All money there ever is.
pub const MONEY: i64 = 1_000_000;
/// Accounts at the beginning; there are at least as many later.
const FIRST_ACCOUNTS: u32 = 20;
const MOST_ACCOUNTS: usize = 200;
/// Bytes of ballast that a bulk transaction makes: more than what still goes through the log.
const BALLAST: usize = 1_250_000;
const PIECE: usize = 50_000;
/// Records that a bulk transaction makes.
const CROWD: u64 = 30_000;

/// An account.
#[derive(Record)]
pub struct Account {
    /// Drawn once.
    pub id: u64,
    /// May be negative.
    pub balance: i64,
    /// `account-ID-COMMIT`.
    pub name: Text,
    /// Balances before, the newest last.
    pub history: List<i64>,
    /// Somebody, or somebody who was.
    pub peer: Option<Ref<Account>>,
}

/// One of many that come and go together.
#[derive(Record)]
pub struct Walker {
    /// From 0.
    pub number: u64,
    /// The commit that made it.
    pub made: u64,
}

/// The root.
#[derive(Record)]
pub struct Bank {
    /// How many transactions were committed.
    pub commits: u64,
    /// Accounts opened so far.
    pub opened: u64,
    /// The accounts.
    pub accounts: List<Ref<Account>>,
    /// Pieces, each full of the low byte of `ballast_made`.
    pub ballast: List<Bytes>,
    /// The commit that made the ballast.
    pub ballast_made: u64,
    /// Walkers that there are.
    pub crowd: u64,
}

/// What the program does beside small transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bulk {
    /// Nothing.
    Never,
    /// In one of so many transactions.
    OneIn(u64),
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Transactions committed.
    pub commits: u64,
    /// Accounts.
    pub accounts: u64,
}

/// Numbers that look random: splitmix64.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }

    /// A number below `end`.
    pub const fn below(&mut self, end: u64) -> u64 {
        self.draw() % end
    }
}

/// The bank of a heap, founded where there is none.
///
/// # Errors
/// As transactions have them.
pub fn found(heap: &Heap) -> Result<Ref<Bank>> {
    let mut tx = heap.write()?;
    if let Some(bank) = tx.root("bank")? {
        return Ok(bank);
    }
    let (accounts, ballast) = (tx.list()?, tx.list()?);
    let bank = Bank { commits: 0, opened: 0, accounts, ballast, ballast_made: 0, crowd: 0 };
    let bank = tx.insert(bank)?;
    tx.set_root("bank", bank)?;
    for _ in 0..FIRST_ACCOUNTS {
        open_account(&mut tx, bank, MONEY / i64::from(FIRST_ACCOUNTS))?;
    }
    tx.commit()?;
    Ok(bank)
}

/// Does something at random in one transaction, and says how many were committed by then.
///
/// # Errors
/// As transactions have them.
pub fn step(
    heap: &Heap,
    bank: Ref<Bank>,
    random: &mut Random,
    durability: Durability,
    bulk: Bulk,
) -> Result<(u64, Sequence)> {
    let mut tx = heap.write()?;
    tx[bank].commits += 1;
    let commits = tx[bank].commits;
    let everyday = match bulk {
        Bulk::Never => true,
        Bulk::OneIn(many) => random.below(many) > 0,
    };
    match random.below(8) {
        _ if !everyday && random.below(2) == 0 => make_ballast(&mut tx, bank)?,
        _ if !everyday => make_crowd(&mut tx, bank)?,
        0 => rename(&mut tx, bank, random)?,
        1 if tx[tx[bank].accounts].len() < MOST_ACCOUNTS => open_account(&mut tx, bank, 0)?,
        2 if tx[tx[bank].accounts].len() > FIRST_ACCOUNTS as usize => close_account(&mut tx, bank, random)?,
        _ => transfer(&mut tx, bank, random)?,
    }
    Ok((commits, tx.commit_with(durability)?))
}

fn any(tx: &Transaction<'_>, bank: Ref<Bank>, random: &mut Random) -> Ref<Account> {
    let accounts = &tx[tx[bank].accounts];
    accounts[random.below(accounts.len() as u64) as usize]
}

fn transfer(tx: &mut Transaction<'_>, bank: Ref<Bank>, random: &mut Random) -> Result<()> {
    let (from, to) = (any(tx, bank, random), any(tx, bank, random));
    let amount = random.below(1_000).cast_signed();
    for (account, change) in [(from, -amount), (to, amount)] {
        let history = tx[account].history;
        if history.len(tx)? >= 40 {
            history.clear(tx)?;
        }
        let balance = tx[account].balance;
        history.push(tx, balance)?;
        tx[account].balance += change;
    }
    tx[from].peer = Some(to);
    Ok(())
}

fn rename(tx: &mut Transaction<'_>, bank: Ref<Bank>, random: &mut Random) -> Result<()> {
    let account = any(tx, bank, random);
    let name = format!("account-{}-{}", tx[account].id, tx[bank].commits);
    tx[account].name = tx.text(&name)?;
    Ok(())
}

fn open_account(tx: &mut Transaction<'_>, bank: Ref<Bank>, balance: i64) -> Result<()> {
    tx[bank].opened += 1;
    let id = tx[bank].opened;
    let name = tx.text(&format!("account-{id}-{}", tx[bank].commits))?;
    let history = tx.list()?;
    let account = tx.insert(Account { id, balance, name, history, peer: None })?;
    tx[bank].accounts.push(tx, account)
}

fn close_account(tx: &mut Transaction<'_>, bank: Ref<Bank>, random: &mut Random) -> Result<()> {
    let accounts = tx[bank].accounts;
    let position = random.below(tx[accounts].len() as u64) as usize;
    let account = tx[accounts][position];
    accounts.remove(tx, position)?;
    let heir = any(tx, bank, random);
    tx[heir].balance += tx[account].balance;
    tx.remove(account)
}

fn make_ballast(tx: &mut Transaction<'_>, bank: Ref<Bank>) -> Result<()> {
    let made = tx[bank].commits;
    let ballast = tx[bank].ballast;
    ballast.clear(tx)?;
    for _ in 0..BALLAST / PIECE {
        let piece = tx.bytes(&vec![made as u8; PIECE])?;
        ballast.push(tx, piece)?;
    }
    tx[bank].ballast_made = made;
    Ok(())
}

fn make_crowd(tx: &mut Transaction<'_>, bank: Ref<Bank>) -> Result<()> {
    if tx[bank].crowd > 0 {
        for walker in tx.records::<Walker>()? {
            tx.remove(walker)?;
        }
        tx[bank].crowd = 0;
        return Ok(());
    }
    let made = tx[bank].commits;
    for number in 0..CROWD {
        tx.insert(Walker { number, made })?;
    }
    tx[bank].crowd = CROWD;
    Ok(())
}

/// The bank as it was before its accounts were renumbered: opened for today's types, it is migrated.
pub mod before {
    use std::path::Path;

    use heap::{Bytes, Heap, List, Record, Ref, Result, Text};

    use super::{BALLAST, CROWD, FIRST_ACCOUNTS, MONEY, PIECE, Walker};

    #[derive(Record)]
    struct Account {
        id: u32,
        balance: i64,
        name: Text,
        history: List<i64>,
        peer: Option<Ref<Account>>,
    }

    #[derive(Record)]
    struct Bank {
        commits: u64,
        opened: u64,
        accounts: List<Ref<Account>>,
        ballast: List<Bytes>,
        ballast_made: u64,
        crowd: u64,
    }

    /// Makes a heap of it, with ballast and a crowd.
    ///
    /// # Errors
    /// As transactions have them.
    pub fn make(path: &Path) -> Result<()> {
        let heap = Heap::open(path)?;
        let mut tx = heap.write()?;
        let (accounts, ballast) = (tx.list()?, tx.list()?);
        for id in 1..=FIRST_ACCOUNTS {
            let (name, history) = (tx.text(&format!("account-{id}-0"))?, tx.list_from([7; 30])?);
            let balance = MONEY / i64::from(FIRST_ACCOUNTS);
            let account = tx.insert(Account { id, balance, name, history, peer: None })?;
            tx[account].peer = Some(account);
            accounts.push(&mut tx, account)?;
        }
        for _ in 0..BALLAST / PIECE {
            let piece = tx.bytes(&vec![0; PIECE])?;
            ballast.push(&mut tx, piece)?;
        }
        for number in 0..CROWD {
            tx.insert(Walker { number, made: 0 })?;
        }
        let opened = u64::from(FIRST_ACCOUNTS);
        let bank = tx.insert(Bank { commits: 0, opened, accounts, ballast, ballast_made: 0, crowd: CROWD })?;
        tx.set_root("bank", bank)?;
        tx.commit().map(|_| ())
    }
}

/// Checks the law.
///
/// # Panics
/// Where it is broken, with what was found.
pub fn check(heap: &Heap) -> Found {
    let read = heap.read();
    let bank = read.root::<Bank>("bank").expect("the bank's type fits").expect("there is a bank");
    let bank = &read[bank];
    let mut sum = 0;
    for &account in &read[bank.accounts] {
        let account = &read[account];
        sum += account.balance;
        let name = &read[account.name];
        assert!(name.starts_with(&format!("account-{}-", account.id)), "account {} is named {name}", account.id);
        assert!(read[account.history].len() <= 40);
    }
    assert_eq!(sum, MONEY, "after {} commits", bank.commits);
    let accounts = read.count::<Account>().expect("the account's type fits");
    assert_eq!(accounts, read[bank.accounts].len() as u64);
    for &piece in &read[bank.ballast] {
        assert_eq!(read[piece].len(), PIECE);
        assert!(
            read[piece].iter().all(|&byte| byte == bank.ballast_made as u8),
            "ballast of commit {}",
            bank.ballast_made
        );
    }
    check_crowd(&read, bank.crowd);
    Found { commits: bank.commits, accounts }
}

fn check_crowd(read: &Read<'_>, count: u64) {
    let walkers = || read.iter::<Walker>().expect("the walker's type fits").map(|(_, walker)| walker);
    assert_eq!(walkers().count() as u64, count);
    assert_eq!(walkers().map(|walker| walker.number).sum::<u64>(), (0..count).sum::<u64>());
    let made = walkers().next().map_or(0, |walker| walker.made);
    assert!(walkers().all(|walker| walker.made == made), "a crowd of two commits");
}
