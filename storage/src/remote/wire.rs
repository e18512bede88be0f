//! Between this crate's types and the messages of `store.proto`.

use bytes::Bytes;
use proto::store as pb;

use crate::batch::{Batch, Delete, Expectation, Put, State};
use crate::scan::Range;
use crate::{Address, Error, Home, Millis, Result, Table};

/// Why a request cannot be carried out as it stands.
pub(crate) fn refused(why: impl Into<String>) -> Error {
    Error::Unavailable(why.into())
}

/// Finds a table by its code.
pub(crate) fn table(tables: &[Table], code: u32) -> Result<Table> {
    let found = tables.iter().find(|table| u32::from(table.code) == code);
    found
        .copied()
        .ok_or_else(|| refused(format!("the owner of the store does not know table {code}: is it an older version?")))
}

fn home(bytes: Bytes) -> Result<Home> {
    if (1..=255).contains(&bytes.len()) {
        Ok(Home::new(bytes))
    } else {
        Err(refused(format!("a home of {} bytes", bytes.len())))
    }
}

pub(crate) fn get_many(addresses: &[Address]) -> pb::GetMany {
    let address =
        |at: &Address| pb::Address { table: at.table.code.into(), home: at.home.to_bytes(), rest: at.rest.clone() };
    pb::GetMany { addresses: addresses.iter().map(address).collect() }
}

pub(crate) fn addresses(tables: &[Table], message: pb::GetMany) -> Result<Vec<Address>> {
    let address =
        |at: pb::Address| Ok(Address { table: table(tables, at.table)?, home: home(at.home)?, rest: at.rest });
    message.addresses.into_iter().map(address).collect()
}

pub(crate) fn scan(range: &Range) -> pb::Scan {
    pb::Scan {
        table: range.table.code.into(),
        home: range.home.to_bytes(),
        from: range.from.clone(),
        to: range.to.clone().unwrap_or_default(),
        unbounded: range.to.is_none(),
        descending: range.descending,
        limit: u32::try_from(range.limit).unwrap_or(u32::MAX),
    }
}

pub(crate) fn range(tables: &[Table], message: pb::Scan) -> Result<Range> {
    Ok(Range {
        table: table(tables, message.table)?,
        home: home(message.home)?,
        from: message.from,
        to: (!message.unbounded).then_some(message.to),
        descending: message.descending,
        limit: usize::try_from(message.limit).unwrap_or(usize::MAX),
    })
}

pub(crate) fn commit(batch: Batch) -> pb::Commit {
    let expectation = |expected: Expectation| pb::Expectation {
        table: expected.table.code.into(),
        rest: expected.rest,
        state: Some(match expected.state {
            State::Absent => pb::expectation::State::Absent(pb::Done {}),
            State::Present => pb::expectation::State::Present(pb::Done {}),
            State::Equals(bytes) => pb::expectation::State::Equals(bytes),
        }),
    };
    let put = |put: Put| pb::Put {
        table: put.table.code.into(),
        rest: put.rest,
        value: put.value,
        // Zero is no time of expiry on the wire; what expired in 1970 has expired a millisecond earlier just as well.
        expires: put.expires.map_or(0, |at| if at.0 == 0 { -1 } else { at.0 }),
    };
    let delete = |delete: Delete| pb::Delete { table: delete.table.code.into(), rest: delete.rest };
    pb::Commit {
        home: batch.home.to_bytes(),
        expectations: batch.expectations.into_iter().map(expectation).collect(),
        puts: batch.puts.into_iter().map(put).collect(),
        deletes: batch.deletes.into_iter().map(delete).collect(),
    }
}

pub(crate) fn batch(tables: &[Table], message: pb::Commit) -> Result<Batch> {
    let expectation = |expected: pb::Expectation| {
        let state = match expected.state {
            Some(pb::expectation::State::Absent(_)) => State::Absent,
            Some(pb::expectation::State::Present(_)) => State::Present,
            Some(pb::expectation::State::Equals(bytes)) => State::Equals(bytes),
            // An expectation of a kind that is not known here must not pass as none at all.
            None => return Err(refused("an expectation of an unknown kind")),
        };
        Ok(Expectation { table: table(tables, expected.table)?, rest: expected.rest, state })
    };
    let put = |put: pb::Put| {
        let table = table(tables, put.table)?;
        let expires = (put.expires != 0).then_some(Millis(put.expires));
        if expires.is_some() && !table.expires {
            return Err(refused(format!("table {} has no expiry", table.name)));
        }
        Ok(Put { table, rest: put.rest, value: put.value, expires })
    };
    let delete = |delete: pb::Delete| Ok(Delete { table: table(tables, delete.table)?, rest: delete.rest });
    let mut batch = Batch::new(home(message.home)?);
    batch.expectations = message.expectations.into_iter().map(expectation).collect::<Result<_>>()?;
    batch.puts = message.puts.into_iter().map(put).collect::<Result<_>>()?;
    batch.deletes = message.deletes.into_iter().map(delete).collect::<Result<_>>()?;
    Ok(batch)
}

pub(crate) fn failure(error: Error) -> pb::Failure {
    use pb::failure::Kind;
    let (kind, message) = match error {
        Error::Conflict => (Kind::Conflict, String::new()),
        Error::Unavailable(why) => (Kind::Unavailable, why),
        Error::Corrupt(what) => (Kind::Corrupt, what),
        Error::Full => (Kind::Full, String::new()),
        Error::Overloaded => (Kind::Overloaded, String::new()),
    };
    pb::Failure { kind: kind.into(), message }
}

pub(crate) fn error(failure: pb::Failure) -> Error {
    use pb::failure::Kind;
    match failure.kind() {
        Kind::Conflict => Error::Conflict,
        Kind::Corrupt => Error::Corrupt(failure.message),
        Kind::Full => Error::Full,
        Kind::Overloaded => Error::Overloaded,
        Kind::Unavailable | Kind::Unspecified => Error::Unavailable(failure.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    const TABLES: [Table; 2] = [
        Table { code: 1, name: "plain", kind: Kind::Sorted, expires: false },
        Table { code: 200, name: "expiring", kind: Kind::Map, expires: true },
    ];

    fn sample() -> Batch {
        let mut batch = Batch::new(Home::new(&b"home"[..]));
        let rest = Bytes::from_static(b"rest");
        for state in [State::Absent, State::Present, State::Equals(Bytes::from_static(b"x"))] {
            batch.expectations.push(Expectation { table: TABLES[0], rest: rest.clone(), state });
        }
        for expires in [None, Some(Millis(7)), Some(Millis(-7))] {
            batch.puts.push(Put { table: TABLES[1], rest: rest.clone(), value: Bytes::from_static(b"v"), expires });
        }
        batch.deletes.push(Delete { table: TABLES[0], rest });
        batch
    }

    #[test]
    fn a_batch_survives_the_way_there() {
        let there = batch(&TABLES, commit(sample())).unwrap();
        assert_eq!(format!("{there:?}"), format!("{:?}", sample()));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let mut strange = commit(sample());
        strange.expectations[0].state = None;
        assert!(matches!(batch(&TABLES, strange), Err(Error::Unavailable(_))));
        assert!(matches!(batch(&TABLES[..1], commit(sample())), Err(Error::Unavailable(_))));
        let mut homeless = commit(sample());
        homeless.home = Bytes::new();
        assert!(matches!(batch(&TABLES, homeless), Err(Error::Unavailable(_))));
        let mut lasting = commit(sample());
        lasting.puts[1].table = 1;
        assert!(matches!(batch(&TABLES, lasting), Err(Error::Unavailable(_))));
    }
}
