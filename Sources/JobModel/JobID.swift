import Foundation

/// A job's name: a ULID, 26 characters of Crockford's base 32 that sort by creation time to the millisecond.
///
/// Source: github.com/ulid/spec.
public struct JobID: Hashable, Sendable, Comparable, Codable, CustomStringConvertible {
  public let text: String

  private static let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
  private static let length = 26

  /// A new identifier: 48 bits of time, 80 random bits.
  public init(at date: Date = Date()) {
    var generator = SystemRandomNumberGenerator()
    self.init(milliseconds: UInt64(max(0, date.timeIntervalSince1970 * 1000)), randomness: generator.next(), generator.next())
  }

  private init(milliseconds: UInt64, randomness high: UInt64, _ low: UInt64) {
    text = Self.digits(of: milliseconds, count: 10) + Self.digits(of: high, count: 8) + Self.digits(of: low, count: 8)
  }

  private static func digits(of value: UInt64, count: Int) -> String {
    String((0..<count).reversed().map { alphabet[Int(truncatingIfNeeded: value >> UInt64(5 * $0)) & 31] })
  }

  /// Nil unless `text` is a ULID; lower case is taken as upper case.
  public init?(_ text: String) {
    // Bytes: some characters outside ASCII are upper-cased into the alphabet, or are canonically equal to one of it.
    guard text.utf8.count == Self.length, text.utf8.allSatisfy({ $0 < 0x80 }) else { return nil }
    let text = text.uppercased()
    guard text.allSatisfy(Self.alphabet.contains) else { return nil }
    self.text = text
  }

  public var description: String { text }

  public static func < (one: JobID, other: JobID) -> Bool { one.text < other.text }

  public init(from decoder: any Decoder) throws {
    let text = try decoder.singleValueContainer().decode(String.self)
    guard let id = JobID(text) else {
      throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "\(text) is not a job id"))
    }
    self = id
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }
}
