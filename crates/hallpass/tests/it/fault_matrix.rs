//! Every way OpenAI can fail, and what a caller, the trail, the simulator and
//! the breaker see of it. The tables in the documents are these tests' own.

mod house;
mod rows;
mod table;

use crate::fault_matrix::{
    house::{House, Operation},
    rows::{Row, Seen, rows},
    table::Table,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_a_mint_has_its_answer() {
    every_fault_has_its_answer(Operation::Mint).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_a_refresh_has_its_answer() {
    every_fault_has_its_answer(Operation::Refresh).await;
}

async fn every_fault_has_its_answer(operation: Operation) {
    let rows = rows().await;
    // Most of the time is spent waiting, which two can do at once.
    let (first, second) = rows.split_at(rows.len() / 2);
    let (first, second) = tokio::join!(see_all(operation, first), see_all(operation, second));
    let (mut table, mut wrong) = (Table::new(operation), Vec::new());
    for (row, seen) in rows.iter().zip(first.into_iter().chain(second)) {
        if seen != row.stated {
            wrong.push(format!("{}: {seen:?}, stated {:?}", row.name, row.stated));
        }
        table.add(row.name, &seen);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    table.compare();
}

/// What some rows' faults do, one after the other.
async fn see_all(operation: Operation, rows: &[Row]) -> Vec<Seen> {
    let mut house = House::open(operation).await;
    let mut seen = Vec::new();
    for row in rows {
        seen.push(house.see(row).await);
    }
    assert_eq!(house.trail_verdict(), "whole");
    seen
}
