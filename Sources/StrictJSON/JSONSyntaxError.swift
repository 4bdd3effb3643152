/// Where and why a text is not JSON (RFC 8259), or more than this parser takes.
public struct JSONSyntaxError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Bytes before the offending one.
  public let offset: Int
  /// Counted from 1.
  public let line: Int
  /// In bytes, counted from 1.
  public let column: Int
  public let reason: String

  public var description: String { "not valid JSON at line \(line), column \(column): \(reason)" }
}
