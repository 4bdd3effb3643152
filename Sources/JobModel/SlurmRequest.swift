import StrictJSON

/// What a job asks of Slurm; nil: the server's default.
public struct SlurmRequest: Codable, Sendable, Hashable {
  public var partition: String?
  /// Of each node.
  public var cpus: Int?
  /// Of each node.
  public var memory: ByteSize?
  /// That an attempt may take.
  public var time: SlurmTime?
  /// Features that nodes must have, as `sbatch --constraint` takes them.
  public var constraint: String?

  public init(
    partition: String? = nil, cpus: Int? = nil, memory: ByteSize? = nil, time: SlurmTime? = nil, constraint: String? = nil
  ) {
    (self.partition, self.cpus, self.memory, self.time, self.constraint) = (partition, cpus, memory, time, constraint)
  }

  /// With what others say in place of what this leaves open.
  public func completed(by defaults: SlurmRequest) -> SlurmRequest {
    SlurmRequest(
      partition: partition ?? defaults.partition, cpus: cpus ?? defaults.cpus, memory: memory ?? defaults.memory,
      time: time ?? defaults.time, constraint: constraint ?? defaults.constraint)
  }
}

/// A number of bytes, written as `8589934592`, `512MiB` or `8GiB`.
public struct ByteSize: Codable, Sendable, Hashable, Comparable, CustomStringConvertible {
  public let bytes: Int

  public init(bytes: Int) { self.bytes = bytes }

  /// nil for what isn't written so, or has more than 18 digits; with a unit, more than 6.
  public init?(_ text: String) {
    let digits = text.prefix { ("0"..."9").contains($0) }
    let units = ["": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40]
    guard let number = Int(digits), let unit = units[text.dropFirst(digits.count).lowercased()],
      digits.count <= (unit == 1 ? 18 : 6)
    else { return nil }
    bytes = number * unit
  }

  public static let expected = "a number of bytes, as 8589934592 or 8GiB"

  /// In the largest unit that it is a whole number of.
  public var description: String {
    let units = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")]
    guard bytes > 0, let (unit, name) = units.first(where: { bytes.isMultiple(of: $0.0) }) else { return "\(bytes)" }
    return "\(bytes / unit)\(name)"
  }

  public static func < (one: ByteSize, other: ByteSize) -> Bool { one.bytes < other.bytes }

  public init(from decoder: any Decoder) throws {
    let text = try decoder.singleValueContainer().decode(String.self)
    guard let size = ByteSize(text) else {
      throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "\(text) is not \(Self.expected)"))
    }
    self = size
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

/// A length of time as Slurm writes it: minutes, `MM:SS`, `HH:MM:SS`, `D-HH`, `D-HH:MM` or `D-HH:MM:SS`.
///
/// Source: slurm.schedmd.com/sbatch.html, `--time`.
public struct SlurmTime: Codable, Sendable, Hashable, Comparable, CustomStringConvertible {
  public let seconds: Int
  private let text: String

  /// nil for what isn't written so, or is no time at all; days have at most 3 digits, the other numbers 4.
  public init?(_ text: String) {
    let halves = text.split(separator: "-", omittingEmptySubsequences: false)
    guard halves.count <= 2, let clock = halves.last, let parts = Self.numbers(clock), let days = Self.days(halves) else { return nil }
    let seconds: Int
    switch (halves.count, parts.count) {
    case (1, 1): seconds = parts[0] * 60
    case (1, 2): seconds = parts[0] * 60 + parts[1]
    case (_, 3): seconds = (parts[0] * 60 + parts[1]) * 60 + parts[2]
    case (2, 1): seconds = parts[0] * 3600
    case (2, 2): seconds = (parts[0] * 60 + parts[1]) * 60
    default: return nil
    }
    let total = days * 86_400 + seconds
    guard total > 0 else { return nil }
    (self.seconds, self.text) = (total, text)
  }

  public static let expected = "a time as Slurm writes it: 90 (minutes), 12:00:00 or 2-12:00:00"

  private static func days(_ halves: [Substring]) -> Int? { halves.count == 1 ? 0 : number(halves[0], digits: 3) }

  private static func numbers(_ text: Substring) -> [Int]? {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    let numbers = parts.compactMap { number($0, digits: 4) }
    return numbers.count == parts.count ? numbers : nil
  }

  private static func number(_ text: Substring, digits: Int) -> Int? {
    text.utf8.count <= digits && text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(text) : nil
  }

  public var description: String { text }

  public static func < (one: SlurmTime, other: SlurmTime) -> Bool { one.seconds < other.seconds }

  public init(from decoder: any Decoder) throws {
    let text = try decoder.singleValueContainer().decode(String.self)
    guard let time = SlurmTime(text) else {
      throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "\(text) is not \(Self.expected)"))
    }
    self = time
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }
}

extension SlurmRequest {
  /// Names of partitions: they become an argument of sbatch.
  public static func isPartition(_ text: String) -> Bool { ResourceName.isValid(text) && !text.hasPrefix("-") }

  /// Names of features with Slurm's operators between them.
  public static func isConstraint(_ text: String) -> Bool {
    (1...256).contains(text.utf8.count) && text.utf8.first != UInt8(ascii: "-")
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: "._-&|*,[]()".utf8.contains(byte)
        }
      }
  }
}

extension RequestReader {
  /// The members of `slurm`.
  mutating func slurm() -> SlurmRequest? {
    nested("slurm") { reader in
      SlurmRequest(
        partition: reader.text("partition", expected: "a partition's name", SlurmRequest.isPartition),
        cpus: reader.int("cpus", in: 1...4096),
        memory: reader.text("memory", expected: ByteSize.expected) { ByteSize($0) != nil }.flatMap { ByteSize($0) },
        time: reader.text("time", expected: SlurmTime.expected) { SlurmTime($0) != nil }.flatMap { SlurmTime($0) },
        constraint: reader.text("constraint", expected: "features with Slurm's operators, as avx512&bigmem", SlurmRequest.isConstraint))
    }
  }

  /// Nodes that one job computes on.
  mutating func nodes() -> Int? { int("nodes", in: 1...1024) }
}
