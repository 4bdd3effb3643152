/// What a loader needs of a module's options.
struct LoaderSettings: Hashable {
  let bits: Int
  /// −1: all columns.
  let groupSize: Int
  let isSymmetric: Bool
  let ordersByActivation: Bool

  init(_ options: QuantizationOptions) {
    bits = options.bits
    groupSize = options.groupSize ?? -1
    isSymmetric = options.isSymmetric
    ordersByActivation = options.ordering == .descendingActivation
  }
}
