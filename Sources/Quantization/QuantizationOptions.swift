/// How a layer is quantized.
public struct QuantizationOptions: Sendable, Hashable {
  public enum Method: String, Sendable {
    /// Column by column, each error spread over the columns that follow.
    case gptq
    /// Every weight to its nearest grid point; needs no Hessian.
    case rtn
  }

  /// Order in which GPTQ handles the columns (NUMERICS section 4).
  public enum ColumnOrdering: String, Sendable {
    case none
    /// By falling H_jj over all columns; groups follow that order, so inference needs `g_idx`.
    case descendingActivation = "desc_act"
    /// By falling H_jj inside each group, then groups by their largest; `g_idx` stays j / group size.
    case groupAware = "act_group_aware"
  }

  /// How zero points are stored.
  public enum Format: String, Sendable {
    /// Zero point − 1, so a zero point of 0 can't be stored.
    case v1 = "gptq"
    case v2 = "gptq_v2"
  }

  public var method: Method
  /// 2, 3, 4 or 8.
  public var bits: Int
  /// Input channels that share a scale; nil: all.
  public var groupSize: Int?
  /// The grid is centred on 0.
  public var isSymmetric: Bool
  public var ordering: ColumnOrdering
  /// First damping tried, as a fraction of the Hessian's mean diagonal.
  public var damping: Double
  public var format: Format
  /// Search each group's scale for the least squared error weighted by R_jj² (NUMERICS section 3), instead of spanning its weights.
  public var searchesScales: Bool
  /// Adjust scales once the codes are fixed.
  public var refinesScales: Bool
  /// α of NUMERICS section 5, 0 to 1: which part of the error of the layers before is compensated; 0: none.
  public var errorCompensation: Double

  public init(
    method: Method = .gptq, bits: Int = 4, groupSize: Int? = 128, isSymmetric: Bool = true, ordering: ColumnOrdering = .groupAware,
    damping: Double = 0.01, format: Format = .v1, searchesScales: Bool = true, refinesScales: Bool = true, errorCompensation: Double = 0.5
  ) {
    self.method = method
    self.bits = bits
    self.groupSize = groupSize
    self.isSymmetric = isSymmetric
    self.ordering = ordering
    self.damping = damping
    self.format = format
    self.searchesScales = searchesScales
    self.refinesScales = refinesScales
    self.errorCompensation = errorCompensation
  }

  /// The highest code: codes are 0 to 2^bits − 1.
  public var maximumCode: Int { (1 << bits) - 1 }

  func groupLength(columns: Int) -> Int { groupSize ?? columns }

  /// Groups of a row; the last one may be shorter.
  func groupCount(columns: Int) -> Int { (columns + groupLength(columns: columns) - 1) / groupLength(columns: columns) }

  /// Checks that a layer of this shape can be quantized and packed.
  ///
  /// - Throws: `QuantizationError`.
  public func check(layer: String, outputs: Int, inputs: Int) throws(QuantizationError) {
    if let groupSize, groupSize > inputs { throw .groupTooLarge(layer: layer, groupSize: groupSize, inputs: inputs) }
    guard inputs * bits % 32 == 0 else { throw .cannotPack(layer: layer, channels: "input", count: inputs, bits: bits) }
    guard outputs * bits % 32 == 0 else { throw .cannotPack(layer: layer, channels: "output", count: outputs, bits: bits) }
  }
}
