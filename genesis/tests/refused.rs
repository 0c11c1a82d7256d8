//! What a genesis may not hold. Each row changes a valid genesis in one place; the error must name
//! the place and the value.

mod common;

use common::{address, check, hex, with};

/// `path = JSON => the error after "path: "`, or the whole error after `=> @`, as far as it matters.
/// `{a1}` is an address and `{k1}` a key.
const ROWS: &str = r#"
account_shards = 0 => 0 is not from 1 to 256
account_shards = 257 => 257 is not from 1 to 256
margin_asset = "EUR" => "EUR" is not the symbol of an asset

assets[1].symbol = "" => "" is not 1 to 32 letters
assets[1].symbol = "B C" => "B C" is not 1 to 32 letters
assets[1].symbol = "-B" => "-B" is not 1 to 32 letters
assets[1].symbol = "ABCDEFGHIJKLMNOPQRSTUVWXYZ1234567" => "ABCDEFGHIJKLMNOPQRSTUVWXYZ1234567" is not 1 to 32
assets[1].symbol = "USDC" => "USDC" occurs twice
assets[1].denom = "usdc" => "usdc" occurs twice
assets[1].decimals = 19 => 19 is not from 0 to 18
groups[1].name = "BTC" => "BTC" occurs twice
groups[1].name = "/" => "/" is not 1 to 32 letters

markets[1].symbol = "BTC/USDC" => "BTC/USDC" occurs twice
markets[1].group = "ETH" => "ETH" is not the name of a group
markets[0].group = "GOLD" => "GOLD" is not "BTC": a spot market belongs to its base's group
markets[0].base = null => null is not the symbol of an asset
markets[0].base = "ETH" => "ETH" is not the symbol of an asset
markets[0].base = "USDC" => "USDC" is the margin asset
markets[1].base = "BTC" => "BTC" is given, but a perpetual delivers no asset
markets[2].base = "BTC" => "BTC" is given, but a future delivers no asset

markets[0].expiry = "2026-12-25T08:00:00Z" => "2026-12-25T08:00:00.000Z" is given, but a spot market has none
markets[1].expiry = 1798185600000 => "2026-12-25T08:00:00.000Z" is given, but a perpetual has none
markets[2].expiry = null => null is not a time, which a future needs
markets[2].expiry = 1700000000000 => "2023-11-14T22:13:20.000Z" is not after genesis time, 2023-11-14T22:13:20.000Z
markets[2].expiry = "2023-11-14T22:13:19.999Z" => "2023-11-14T22:13:19.999Z" is not after genesis time,
markets[2].expiry = 253402300800000 => 253402300800000 is after 9999-12-31T23:59:59.999Z
markets[2].expiry = "2026-12-25T08:00:00.0001Z" => "2026-12-25T08:00:00.0001Z" is not a whole number of ms
markets[2].expiry = "2026-12-25" => "2026-12-25" is not a time in UTC such as "2026-12-25T08:00:00Z"
markets[2].expiry = "2026-12-25T08:00:00+01:00" => "2026-12-25T08:00:00+01:00" is not a time in UTC
markets[2].expiry = -1 => invalid type: integer `-1`, expected a time such as "2026-12-25T08:00:00Z", or whole ms
markets[2].expiry = 1.5 => invalid type: floating point `1.5`, expected a time such as

markets[0].tick = "0" => "0" is not above zero
markets[0].tick = "-0.1" => "-0.1" is not above zero
markets[0].lot = "0.0" => "0.0" is not above zero
markets[1].tick = "0.0000000001" => "0.0000000001" is not a whole number of atoms of the margin asset per lot: tick x lot ("0.001") x 10^6 must be whole
markets[0].tick = "0.00025" => "0.00025" is not a whole number of atoms
assets[1].decimals = 2 => @markets[0].lot: "0.001" is not a whole number of atoms of BTC, which has 2 decimals
markets[0].lot = "720575940.37927937" => @markets[0].tick: "0.10" is not a whole number of atoms
markets[0].lot = "720575940.38" => "720575940.38" is 72057594038000000 atoms of BTC, more than 72057594037927936

markets[0].min_size = "0" => "0" is 0 lots, which is not from 1 to 1099511627776
markets[0].min_size = "-0.001" => "-0.001" is -1 lots, which is not from 1
markets[0].min_size = "0.0015" => "0.0015" is not a multiple of lot ("0.001")
markets[0].min_size = "100.001" => "100.001" is above max_size ("100")
markets[0].max_size = "1099511627.777" => "1099511627.777" is 1099511627777 lots, which is not from 1
markets[0].max_price = "0" => "0" is 0 ticks, which is not from 1 to 46116860184273879
markets[0].max_price = "9.95" => "9.95" is not a multiple of tick ("0.10")
markets[0].max_price = "4611686018427388" => "4611686018427388" is 46116860184273880 ticks, which is not from 1

markets[0].price_band = "-0.1" => "-0.1" is not from 0 to 1000000 millionths
markets[1].price_band = "1.000001" => "1.000001" is not from 0 to 1000000 millionths
markets[1].price_band = "0.0000001" => "0.0000001" is not a whole number of millionths
markets[0].min_notional = "-1" => "-1" is not from 0 to 5070602400912917605986812821504 atoms
markets[0].min_notional = "0.0000001" => "0.0000001" has more than 6 decimals
markets[0].max_notional = "5070602400912917605986812.9" => "5070602400912917605986812.9" is not from 0 to
markets[1].min_notional = "100.5" => "100.5" is above max_notional ("100")

markets[0].taker_fee = "-0.0001" => "-0.0001" is not from 0 to 100000 millionths
markets[0].taker_fee = "0.100001" => "0.100001" is not from 0 to 100000 millionths
markets[0].taker_fee = "0.00010001" => "0.00010001" is not a whole number of millionths
markets[0].maker_fee = "0.0004" => "0.0004" is larger in size than taker_fee ("0.0003")
markets[0].maker_fee = "-0.0004" => "-0.0004" is larger in size than taker_fee ("0.0003")

markets[0].initial_margin = "0.1" => "0.1" must be 0 or left out in a spot market
markets[0].maintenance_margin = "0.1" => "0.1" must be 0 or left out in a spot market
markets[0].mark = "1" => "1" must be 0 or left out in a spot market
markets[1].initial_margin = null => null is not a number, which a perpetual needs
markets[2].maintenance_margin = null => null is not a number, which a future needs
markets[1].initial_margin = "1.1" => "1.1" is not from 1 to 1000000 millionths
markets[1].maintenance_margin = "0" => "0" is not from 1 to 1000000 millionths
markets[1].maintenance_margin = "0.06" => "0.06" is above initial_margin ("0.05")
markets[1].mark = null => null is not a number, which a perpetual needs
markets[2].mark = null => null is not a number, which a future needs
markets[1].mark = "0" => "0" is 0 ticks, which is not from 1
markets[1].mark = "1000000.1" => "1000000.1" is 10000001 ticks, which is not from 1 to 10000000
markets[1].taker_hold = 1 => 1 is reserved and must be 0

price_authorities[0] = "b1" => "b1" is not a ballast1... address
price_authorities[1] = "{a9}" => "{a9}" occurs twice

validators = [] => [] holds no validator
validators[1].name = "v1" => "v1" occurs twice
validators[1].name = "" => "" is not 1 to 32 letters
validators[1].consensus_key = "12" => "12" is not 64 hex characters
validators[1].consensus_key = "{k1}" => "{k1}" occurs twice
validators[1].ingress_key = "zz" => "zz" is not 64 hex characters
validators[1].ingress_key = "{k101}" => "{k101}" occurs twice
validators[1].power = 0 => 0 is not above zero
validators[1].power = 1152921504606846967 => 1152921504606846967 makes the total power 1152921504606846977, more than

accounts[0].address = "x/1" => "x/1" is not ballast1... or ballast1.../sub
accounts[0].address = "{a1}/65536" => "{a1}/65536" is not ballast1... or ballast1.../sub
accounts[0].address = "{a1}/7" => @accounts[1].address: "{a1}/7" occurs twice
accounts[1].address = "{a2}/0" => "{a2}/0" occurs twice
accounts[0].balances = {} => {} holds no balance
accounts[0].balances.EUR = "1" => "1" is in "EUR", which is not an asset
accounts[0].balances.USDC = "0.0000001" => "0.0000001" has more than 6 decimals
accounts[0].balances.USDC = "-1" => "-1" is -1000000 atoms, which is not from 0 to
accounts[0].balances.USDC = "1267650600228229401496703.3" => "1267650600228229401496703.3" is 1267650600228229401496703300000 atoms, which is not from 0 to 1267650600228229401496703205376

limits.block_bytes = 104857601 => 104857601 is not from 1 to 104857600
limits.block_bytes = 100000 => @limits.tx_bytes: 65536 is not from 1 to 0 (block_bytes - 131072)
limits.tx_bytes = 2000000 => 2000000 is not from 1 to 1966080 (block_bytes - 131072)
limits.tx_bytes = 8192 => @limits.native_tx_bytes: 16384 is not from 1024 to 7168 (tx_bytes - 1024)
limits.native_tx_bytes = 9 => 9 is not from 1024 to 64512
limits.tx_actions = 0 => 0 is not from 1 to 1000
limits.tx_actions = 1001 => 1001 is not from 1 to 1000
limits.block_weight = 0 => 0 is below the weight of the heaviest transaction of one action,
limits.block_weight = 40000 => 40000 is below the weight of the heaviest transaction of one action,
limits.open_orders = 100000 => @limits.block_weight: 4000000 is below the weight of the heaviest
limits.max_fills = 0 => 0 is not from 1 to 4096
limits.max_fills = 4097 => 4097 is not from 1 to 4096
limits.accounts = 0 => 0 is not from 1 to 4294967295
limits.accounts = 1 => 1 is below the number of genesis accounts, 2
limits.open_orders = 0 => 0 is not from 1 to 100000
limits.agents = 1001 => 1001 is not from 0 to 1000
limits.sweep_orders = 0 => 0 is not from 1 to 100000
limits.nonce_past_ms = 86400001 => 86400001 is not from 1 to 86400000
limits.nonce_future_ms = 0 => 0 is not from 1 to 86400000
limits.bucket_tokens = 0 => 0 is not from 1 to 1000000000
limits.bucket_refill = 1000000001 => 1000000001 is not from 1 to 1000000000
limits.cancel_tokens = 18446744073709551615 => 18446744073709551615 is not from 0 to 1000000000
limits.floors = 0 => 0 is not from 1 to 65536
limits.waiting_orders = 1000001 => 1000001 is not from 0 to 1000000
limits.trailing_orders = 100001 => 100001 is not from 0 to 100000
limits.triggered_orders = 0 => 0 is not from 1 to 10000
limits.pegged_orders = 100001 => 100001 is not from 0 to 100000
limits.twap_slices = 0 => 0 is not from 1 to 10000
limits.twap_slices = 10001 => 10001 is not from 1 to 10000
limits.auction_fills = 0 => 0 is not from 1 to 1000000
limits.auction_fills = 1000001 => 1000001 is not from 1 to 1000000

markets[0].tick = 0.5 => invalid type: floating point `0.5`, expected a decimal number in a string
markets[0].tick = "1e3" => "1e3" is not a decimal number
markets[0].kind = "swap" => unknown variant `swap`, expected one of `spot`, `perpetual`, `future`
markets[0].matching = "auction" => unknown variant `auction`, expected `continuous` or `batch`
markets[0].matching = null => expected value
markets[1].sharing = "prorata" => unknown variant `prorata`, expected `time` or `pro_rata`
markets[0].tik = "1" => unknown field `tik`
limits.max_fils = 1 => unknown field `max_fils`
limits.max_fills = 70000 => invalid value: integer `70000`, expected u16
accounts[0].balances.USDC = 1 => invalid type: integer `1`, expected a decimal number in a string
"#;

#[test]
fn every_error_names_the_field_and_the_value() {
    let mut rows = ROWS.to_owned();
    for byte in [1, 2, 9, 101] {
        rows = rows.replace(&format!("{{a{byte}}}"), &address(byte));
        rows = rows.replace(&format!("{{k{byte}}}"), &hex(byte));
    }
    for row in rows.lines().filter(|row| !row.is_empty()) {
        let (change, expected) = row.split_once(" => ").unwrap();
        let (path, value) = change.split_once(" = ").unwrap();
        let expected = match expected.strip_prefix('@') {
            Some(error) => error.to_owned(),
            None => format!("{path}: {expected}"),
        };
        match check(&with(path, serde_json::from_str(value).unwrap())) {
            Err(error) => assert!(error.starts_with(&expected), "{row}\nis {error}"),
            Ok(_) => panic!("{row}\nis accepted"),
        }
    }
}
