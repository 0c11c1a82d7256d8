//! What the markets are worth in a block: prices, statuses, and what one lot needs. Derived from the
//! records, and shared by the state, its snapshots and the passes.

use crate::chain::Chain;
use crate::passes::Live;
use crate::unit::{Figures, Unit};
use ballast_risk::LotRisk;
use ballast_types::{GroupId, MarketId, MarketStatus};
use std::sync::Arc;

#[derive(Clone, Debug, Default)]
pub(crate) struct Prices {
    /// Of the markets of the genesis.
    pub(crate) risks: Vec<LotRisk>,
    pub(crate) live: Vec<Live>,
    /// Of the options listed behind them.
    pub(crate) options: Arc<Vec<OptionState>>,
    /// By group, as they were at its last refresh.
    pub(crate) units: Vec<Arc<Unit>>,
}

/// What a listed option takes, and what it was settled at.
#[derive(Clone, Debug, Default)]
pub(crate) struct OptionState {
    pub(crate) status: MarketStatus,
    pub(crate) settled: Option<Arc<Figures>>,
}

impl Prices {
    pub(crate) fn unit(&self, group: GroupId) -> Option<&Unit> {
        self.units.get(group.index()).map(|unit| &**unit)
    }

    pub(crate) fn status(&self, id: MarketId, chain: &Chain) -> MarketStatus {
        match chain.option(id) {
            None => self.live.get(id.index()).map(|live| live.status),
            Some(option) => self.options.get(option).map(|option| option.status),
        }
        .unwrap_or_default()
    }

    /// Figures of a listed option.
    pub(crate) fn figures(&self, id: MarketId, chain: &Chain) -> Option<&Figures> {
        let option = self.options.get(chain.option(id)?)?;
        if let Some(settled) = &option.settled {
            return Some(settled);
        }
        let market = chain.market(id)?;
        Some(self.unit(market.group)?.figures(chain.local(id), market))
    }

    pub(crate) fn risk(&self, id: MarketId, chain: &Chain) -> Option<&LotRisk> {
        match self.risks.get(id.index()) {
            Some(risk) => Some(risk),
            None => self.figures(id, chain).map(|figures| &figures.risk),
        }
    }

    pub(crate) fn live(&self, id: MarketId, chain: &Chain) -> Live {
        if let Some(live) = self.live.get(id.index()) {
            return *live;
        }
        let Some(figures) = self.figures(id, chain) else {
            return Live::default();
        };
        Live {
            mark: figures.mark,
            index: figures.index,
            status: self.status(id, chain),
        }
    }
}
