/// What modules whose names match are quantized with instead (GPTQModel's `dynamic`).
public struct ModuleRule: Sendable, Hashable {
  /// As it was given, with `-:` or `+:` or neither.
  public let pattern: String
  /// The regular expression in it, matched from a module name's start on.
  public let expression: String
  /// Modules that match stay in the source's precision.
  public let leavesAlone: Bool
  /// nil, here and below: as for all modules.
  public var bits: Int?
  /// −1: all columns.
  public var groupSize: Int?
  public var isSymmetric: Bool?
  /// `desc_act`.
  public var ordersByActivation: Bool?
  public var searchesScales: Bool?
  public var damping: Double?

  public init(
    pattern: String, expression: String, leavesAlone: Bool, bits: Int? = nil, groupSize: Int? = nil, isSymmetric: Bool? = nil,
    ordersByActivation: Bool? = nil, searchesScales: Bool? = nil, damping: Double? = nil
  ) {
    self.pattern = pattern
    self.expression = expression
    self.leavesAlone = leavesAlone
    self.bits = bits
    self.groupSize = groupSize
    self.isSymmetric = isSymmetric
    self.ordersByActivation = ordersByActivation
    self.searchesScales = searchesScales
    self.damping = damping
  }

  /// What a module that matches is quantized with; nil: it isn't.
  func options(from base: QuantizationOptions) -> QuantizationOptions? {
    guard !leavesAlone else { return nil }
    var options = base
    options.bits = bits ?? base.bits
    options.groupSize = groupSize.map { $0 > 0 ? $0 : nil } ?? base.groupSize
    options.isSymmetric = isSymmetric ?? base.isSymmetric
    options.searchesScales = searchesScales ?? base.searchesScales
    options.damping = damping ?? base.damping
    switch ordersByActivation {
    case true?: options.ordering = .descendingActivation
    case false? where base.ordering == .descendingActivation: options.ordering = .groupAware
    default: break
    }
    return options
  }
}
