/// Makes damaged documents of whole ones: those that a parser nearly takes are those that it trips over.
struct Mutator {
  private var chance: Chance
  private let seeds: [[UInt8]]

  init(_ seeds: [[UInt8]], stream: UInt64) {
    chance = Chance(stream: stream)
    self.seeds = seeds
  }

  /// One of the seeds with one to four changes, mostly one.
  mutating func next() -> [UInt8] {
    var document = seeds.randomElement(using: &chance) ?? []
    for _ in 0..<([1, 1, 1, 2, 4].randomElement(using: &chance) ?? 1) { change(&document) }
    return document
  }

  private mutating func change(_ document: inout [UInt8]) {
    switch Int.random(in: 0..<10, using: &chance) {
    case 0: flipBit(&document)
    case 1: document.removeLast(number(below: document.count))
    case 2: splice(&document)
    case 3: remove(&document)
    case 4: replaceNumber(&document)
    case 5: nest(&document)
    case 6: doubleMember(&document)
    case 7: insert([0xC0, 0x80].shuffled(using: &chance) + [0xED, 0xA0, 0x80].prefix(number(below: 4)), into: &document)
    case 8: replaceValue(&document)
    default: insert(Array(Self.fragments.randomElement(using: &chance)?.utf8 ?? "".utf8), into: &document)
    }
  }

  private static let fragments = [
    "\"", "\\", "\\u0000", "\\ud800", "\\udc00\\ud800", "{", "}", "[", "]", ":", ",", "null", "true", "-", "e", ".", "\0", "\u{feff}", "\n",
    "{\"\":", "\"__metadata__\":{},", "\u{202e}", "e\u{301}\u{301}\u{301}", "\u{1f468}\u{200d}\u{1f469}",
  ]

  private static let numbers = [
    "0", "-1", "-0", "1", "2", "3", "7", "65536", "2147483647", "2147483648", "-2147483649", "4294967296", "9223372036854775807",
    "9223372036854775808", "-9223372036854775808", "18446744073709551615", "1e308", "1e309", "-1e309", "1e-400", "0.1", "1.0", "1e2",
    "3037000500", "99999999999999999999999999999999999999",
  ]

  private static let values = ["null", "true", "false", "\"\"", "\"a\"", "[]", "{}", "[[]]", "{\"\":{}}", "[null]", "[0,0]", "[-1]", "0"]

  private mutating func number(below bound: Int) -> Int { bound <= 0 ? 0 : Int.random(in: 0..<bound, using: &chance) }

  private mutating func flipBit(_ document: inout [UInt8]) {
    guard !document.isEmpty else { return }
    document[number(below: document.count)] ^= 1 << UInt8(number(below: 8))
  }

  private mutating func insert(_ bytes: some Collection<UInt8>, into document: inout [UInt8]) {
    document.insert(contentsOf: bytes, at: number(below: document.count + 1))
  }

  /// Puts a part of a seed somewhere.
  private mutating func splice(_ document: inout [UInt8]) {
    let other = seeds.randomElement(using: &chance) ?? []
    let start = number(below: other.count)
    insert(other[start..<min(other.count, start + 1 + number(below: 200))], into: &document)
  }

  private mutating func remove(_ document: inout [UInt8]) {
    let start = number(below: document.count)
    document.removeSubrange(start..<min(document.count, start + 1 + number(below: 60)))
  }

  private mutating func replaceNumber(_ document: inout [UInt8]) {
    let isDigit = { (byte: UInt8) in (0x30...0x39).contains(byte) }
    guard let start = document[number(below: document.count)...].firstIndex(where: isDigit) else { return }
    let end = document[start...].firstIndex { !isDigit($0) } ?? document.count
    document.replaceSubrange(start..<end, with: Array((Self.numbers.randomElement(using: &chance) ?? "0").utf8))
  }

  private mutating func nest(_ document: inout [UInt8]) {
    insert(Self.nests.randomElement(using: &chance) ?? [], into: &document)
  }

  private static let nests: [[UInt8]] = [3, 9, 129, 1000, 50_000].flatMap { depth in
    ["[", "{\"a\":", "[{\"b\":"].map { Array(repeatElement(Array($0.utf8), count: depth).joined()) }
  }

  /// The text from a quotation mark to the next comma, twice.
  private mutating func doubleMember(_ document: inout [UInt8]) {
    guard let start = document[number(below: document.count)...].firstIndex(of: UInt8(ascii: "\"")),
      let end = document[start...].firstIndex(of: UInt8(ascii: ",")), end - start < 4096
    else { return }
    document.insert(contentsOf: document[start...end], at: start)
  }

  /// What follows a colon becomes something else.
  private mutating func replaceValue(_ document: inout [UInt8]) {
    guard let colon = document[number(below: document.count)...].firstIndex(of: UInt8(ascii: ":")) else { return }
    let end = document[colon...].firstIndex { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "}") } ?? document.count
    document.replaceSubrange((colon + 1)..<max(colon + 1, end), with: Array((Self.values.randomElement(using: &chance) ?? "0").utf8))
  }
}
