/// What modules whose names match are quantized with instead: an entry of GPTQModel's `dynamic`.
///
/// Of the rules that match a module, one that leaves it alone wins, else the first.
public struct DynamicRule: Codable, Sendable, Hashable {
  /// `-:` leaves modules alone, `+:` or nothing changes their options; then a regular expression, matched from a name's start on.
  public var pattern: String
  /// nil, here and below: as for all modules.
  public var bits: Int?
  public var groupSize: Int?
  public var sym: Bool?
  public var descAct: Bool?
  public var mse: Bool?
  public var dampPercent: Double?

  public init(
    pattern: String, bits: Int? = nil, groupSize: Int? = nil, sym: Bool? = nil, descAct: Bool? = nil, mse: Bool? = nil,
    dampPercent: Double? = nil
  ) {
    self.pattern = pattern
    self.bits = bits
    self.groupSize = groupSize
    self.sym = sym
    self.descAct = descAct
    self.mse = mse
    self.dampPercent = dampPercent
  }

  static let leavingPrefix = "-:"
  static let changingPrefix = "+:"

  /// Modules that match aren't quantized.
  public var leavesAlone: Bool { begins(with: Self.leavingPrefix) }

  /// The pattern without its prefix.
  public var expression: String {
    leavesAlone || begins(with: Self.changingPrefix) ? String(pattern.unicodeScalars.dropFirst(2)) : pattern
  }

  /// By bytes: a combining mark after the prefix doesn't make it another one.
  private func begins(with prefix: String) -> Bool { pattern.utf8.starts(with: prefix.utf8) }
}
