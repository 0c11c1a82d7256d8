//! The committed state as the gateway reads it.

use std::sync::Arc;

use ballast_app::Snapshot;
use ballast_app::view::{
    AccountView, BookView, ChainView, MarketView, MasterView, OrderView, SurfaceView,
};
use ballast_gateway::View;
use ballast_types::{Account, AccountId, GroupId, MarketId, MarketSpec, OrderId};

/// A committed height. (The trait and the snapshot are other crates', so one is wrapped.)
pub struct Height(pub Arc<Snapshot>);

impl View for Height {
    fn app_hash(&self) -> [u8; 32] {
        self.0.app_hash()
    }

    fn chain(&self) -> ChainView {
        self.0.chain()
    }

    fn account(&self, account: &Account) -> Option<AccountView> {
        self.0.account(account)
    }

    fn master(&self, master: &AccountId) -> Option<MasterView> {
        self.0.master(master)
    }

    fn order(&self, order: OrderId) -> Option<OrderView> {
        self.0.order(order)
    }

    fn book(&self, market: MarketId, depth: usize) -> Option<BookView> {
        self.0.book(market, depth)
    }

    fn market(&self, market: MarketId) -> Option<MarketView> {
        self.0.market(market)
    }

    fn markets(&self) -> u32 {
        self.0.markets()
    }

    fn market_spec(&self, market: MarketId) -> Option<MarketSpec> {
        self.0.market_spec(market)
    }

    fn surface(&self, group: GroupId) -> Option<SurfaceView> {
        self.0.surface(group)
    }
}
