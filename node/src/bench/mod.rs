//! Load for four validators on this machine, and what they make of it: the exchange, and two
//! yardsticks that get the same bytes.

pub mod cpu;
pub mod flow;
pub mod load;
pub mod network;
pub mod noop;
