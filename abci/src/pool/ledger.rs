use ballast_app::view::MasterView;
use ballast_types::{Account, AccountId, OrderId};

/// What the pool asks the last committed state.
pub trait Ledger: Send + Sync {
    /// Whether the account exists.
    fn exists(&self, account: &Account) -> bool;

    /// A master, if it exists.
    fn master(&self, master: &AccountId) -> Option<MasterView>;

    /// Equity of the master's accounts together, in atoms of the margin asset; 0 when negative.
    fn equity(&self, master: &AccountId) -> u128;

    /// Whether the order rests in a book.
    fn rests(&self, order: OrderId) -> bool;
}
