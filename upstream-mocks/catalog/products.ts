/** What the catalog knows of a product; price and stock belong to other services. */
export interface Product {
  /** The same as `sku`. */
  readonly id: string
  readonly sku: string
  readonly name: string
  readonly description: string
  readonly category: string
  readonly brand: string
  /** Path of the picture on this service. */
  readonly image: string
}

/** Everything the demo shop sells. */
export const PRODUCTS: readonly Product[] = [
  product(
    'MUG-001',
    'Stoneware Mug',
    'kitchen',
    'Fjordware',
    'A 350 ml mug with a speckled glaze that keeps coffee warm.',
  ),
  product(
    'MUG-002',
    'Travel Mug',
    'kitchen',
    'Fjordware',
    'Double-walled steel, 400 ml, with a lid that does not leak.',
  ),
  product('KTL-001', 'Gooseneck Kettle', 'kitchen', 'Fjordware', 'A 0.9 l kettle that pours where you look.'),
  product(
    'POT-001',
    'Cast-Iron Pot',
    'kitchen',
    'Ofen & Sohn',
    '4.2 l, enamelled, with a lid heavy enough to keep the steam in.',
  ),
  product('PAN-001', 'Carbon-Steel Pan', 'kitchen', 'Ofen & Sohn', '28 cm across and better every year.'),
  product('KNF-001', "Chef's Knife", 'kitchen', 'Ofen & Sohn', 'A 20 cm blade of stainless Damascus steel.'),
  product('KNF-002', 'Bread Knife', 'kitchen', 'Ofen & Sohn', '25 cm of serration for crusts that fight back.'),
  product('BRD-001', 'Oak Chopping Board', 'kitchen', 'Waldmann', 'End grain, 40 by 30 cm, oiled by hand.'),
  product('LMP-001', 'Desk Lamp', 'home', 'Lumina', 'A dimmable lamp with an arm that stays where it is put.'),
  product('LMP-002', 'Bedside Lamp', 'home', 'Lumina', 'Warm light in opal glass, touch to dim.'),
  product('LMP-003', 'Floor Lamp', 'home', 'Lumina', '1.6 m of brass and linen.'),
  product('CLK-001', 'Wall Clock', 'home', 'Tempora', 'A silent movement behind a 30 cm face.'),
  product('CLK-002', 'Alarm Clock', 'home', 'Tempora', 'Two bells, no app.'),
  product('BLN-001', 'Wool Blanket', 'home', 'Shetland Mill', 'Undyed wool, 130 by 180 cm.'),
  product('CUS-001', 'Linen Cushion', 'home', 'Shetland Mill', '45 by 45 cm, with a feather filling.'),
  product('RUG-001', 'Jute Rug', 'home', 'Shetland Mill', '160 by 230 cm, woven flat.'),
  product('VAS-001', 'Glass Vase', 'home', 'Lumina', 'Mouth-blown, 24 cm, sea green.'),
  product('CHR-001', 'Oak Chair', 'furniture', 'Waldmann', 'A stacking chair with a seat of paper cord.'),
  product('STL-001', 'Step Stool', 'furniture', 'Waldmann', 'Two steps, one handle, folds flat.'),
  product('SHF-001', 'Wall Shelf', 'furniture', 'Waldmann', '80 cm of oak with hidden brackets.'),
  product('DSK-001', 'Standing Desk', 'furniture', 'Waldmann', 'Moves from 65 to 130 cm in ten seconds.'),
  product('TBL-001', 'Side Table', 'furniture', 'Waldmann', 'A round top of 45 cm on three legs.'),
  product('HDP-001', 'Headphones', 'electronics', 'Aurel', 'Closed, wired, with pads that can be replaced.'),
  product('HDP-002', 'Wireless Headphones', 'electronics', 'Aurel', '40 hours on one charge.'),
  product('SPK-001', 'Bookshelf Speakers', 'electronics', 'Aurel', 'A pair with 5-inch drivers.'),
  product('KBD-001', 'Mechanical Keyboard', 'electronics', 'Tastwerk', '75 % layout, hot-swap switches, a knob.'),
  product('KBD-002', 'Compact Keyboard', 'electronics', 'Tastwerk', 'Fits a coat pocket and pairs with three devices.'),
  product('MSE-001', 'Trackball', 'electronics', 'Tastwerk', 'Stays in place so that the wrist may too.'),
  product('CBL-001', 'USB-C Cable', 'electronics', 'Tastwerk', '2 m, braided, 100 W.'),
  product('CHG-001', 'Wall Charger', 'electronics', 'Tastwerk', '65 W from two ports.'),
  product('BAG-001', 'Canvas Backpack', 'travel', 'Nordpfad', '22 l, waxed, with a sleeve for a laptop.'),
  product('BAG-002', 'Weekend Bag', 'travel', 'Nordpfad', '38 l and allowed in every cabin.'),
  product('BTL-001', 'Steel Bottle', 'travel', 'Nordpfad', '0.75 l, cold for a day.'),
  product('UMB-001', 'Storm Umbrella', 'travel', 'Nordpfad', 'Turns inside out and back again.'),
  product('TNT-001', 'Two-Person Tent', 'travel', 'Nordpfad', '1.9 kg, up in four minutes.'),
  product('SLP-001', 'Sleeping Bag', 'travel', 'Nordpfad', 'Down, comfortable to minus 4 degrees.'),
]

function product(sku: string, name: string, category: string, brand: string, description: string): Product {
  return { id: sku, sku, name, description, category, brand, image: `/images/${sku}.svg` }
}
