/// A value that stands in JSON and settings as text.
public protocol WrittenValue: Codable, Sendable, Hashable, CustomStringConvertible {
  /// nil for text that isn't one.
  init?(_ text: String)

  /// What `init` takes, in words.
  static var expected: String { get }
}

extension WrittenValue {
  public init(from decoder: any Decoder) throws {
    let text = try decoder.singleValueContainer().decode(String.self)
    guard let value = Self(text) else {
      throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "\(text) is not \(Self.expected)"))
    }
    self = value
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

/// A number of bytes, written as `8589934592`, `512MiB` or `8GiB`.
public struct ByteSize: WrittenValue, Comparable {
  public let bytes: Int

  private static let units: [(name: String, bytes: Int, digits: Int)] = [
    ("TiB", 1 << 40, 6), ("GiB", 1 << 30, 9), ("MiB", 1 << 20, 12), ("KiB", 1 << 10, 15), ("", 1, 18),
  ]

  public init(bytes: Int) { self.bytes = bytes }

  /// Units may be written in any case. Of bytes there are at most 18 digits, of each larger unit 3 fewer.
  public init?(_ text: String) {
    let digits = text.prefix { ("0"..."9").contains($0) }
    let name = text.dropFirst(digits.count).lowercased()
    guard let number = Int(digits), let unit = Self.units.first(where: { $0.name.lowercased() == name }), digits.count <= unit.digits
    else { return nil }
    bytes = number * unit.bytes
  }

  public static let expected = "a number of bytes, as 8589934592 or 8GiB"

  /// In the largest unit that it is a whole number of.
  public var description: String {
    let unit = Self.units.first { bytes > 0 && bytes.isMultiple(of: $0.bytes) }
    return unit.map { "\(bytes / $0.bytes)\($0.name)" } ?? "\(bytes)"
  }

  public static func < (one: ByteSize, other: ByteSize) -> Bool { one.bytes < other.bytes }
}

/// A length of time as Slurm writes it: minutes, `MM:SS`, `HH:MM:SS`, `D-HH`, `D-HH:MM` or `D-HH:MM:SS`.
///
/// Source: slurm.schedmd.com/sbatch.html, `--time`.
public struct SlurmTime: WrittenValue, Comparable {
  public let seconds: Int
  public let description: String

  /// Days have at most 3 digits, the other numbers 4; no time at all is none.
  public init?(_ text: String) {
    let halves = text.split(separator: "-", omittingEmptySubsequences: false)
    guard halves.count <= 2, let clock = halves.last, let parts = Self.numbers(clock),
      let days = halves.count == 1 ? 0 : Self.number(halves[0], digits: 3)
    else { return nil }
    let seconds: Int
    switch (halves.count, parts.count) {
    case (1, 1): seconds = parts[0] * 60
    case (1, 2): seconds = parts[0] * 60 + parts[1]
    case (_, 3): seconds = (parts[0] * 60 + parts[1]) * 60 + parts[2]
    case (2, 1): seconds = parts[0] * 3600
    case (2, 2): seconds = (parts[0] * 60 + parts[1]) * 60
    default: return nil
    }
    self.seconds = days * 86_400 + seconds
    description = text
    guard self.seconds > 0 else { return nil }
  }

  public static let expected = "a time as Slurm writes it: 90 (minutes), 12:00:00 or 2-12:00:00"

  private static func numbers(_ text: Substring) -> [Int]? {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    let numbers = parts.compactMap { number($0, digits: 4) }
    return numbers.count == parts.count ? numbers : nil
  }

  private static func number(_ text: Substring, digits: Int) -> Int? {
    text.utf8.count <= digits && text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(text) : nil
  }

  public static func < (one: SlurmTime, other: SlurmTime) -> Bool { one.seconds < other.seconds }
}
