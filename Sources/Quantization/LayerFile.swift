import Checkpoint
import Foundation
import LinearAlgebra

/// A safetensors file with the weight and the Hessian, or the inputs, of single layers: what a layer job quantizes.
///
/// For a layer L it holds `L.weight` [m, n] and `L.hessian` [n, n] (2/T·XᵀX) or `L.inputs` [T, n], in F32, F16 or BF16; or, for one
/// layer named like the file, `weight` and `hessian` or `inputs`. The metadata may give `L.tokens` or `tokens`, T.
public struct LayerFile: Sendable {
  public let layers: [LayerIdentity]
  private let folder: CheckpointFolder
  private let prefixes: [String]
  private let tokens: [Int?]

  /// Reads the header.
  ///
  /// - Throws: `CheckpointError`, `QuantizationError.invalidLayerFile`.
  public init(_ file: URL) throws {
    let header = try SafetensorsFile(file)
    let shapes = Dictionary(uniqueKeysWithValues: header.tensors.map { ($0.name, $0.shape) })
    let weights = shapes.keys.filter { $0 == "weight" || $0.hasSuffix(".weight") }.sorted()
    guard !weights.isEmpty else {
      throw QuantizationError.invalidLayerFile(
        "\(file.lastPathComponent) holds no tensor named NAME.weight; a layer job needs it with NAME.hessian or NAME.inputs")
    }
    folder = CheckpointFolder(file: header, at: file)
    prefixes = weights.map { String($0.dropLast("weight".count)) }
    layers = try prefixes.enumerated().map { position, prefix in
      let name = prefix.isEmpty ? file.deletingPathExtension().lastPathComponent : String(prefix.dropLast())
      return try Self.identity(name, prefix: prefix, position: position, shapes: shapes)
    }
    tokens = prefixes.map { prefix in
      (header.metadata[prefix + "tokens"] ?? header.metadata["tokens"]).flatMap { Int($0) } ?? shapes[prefix + "inputs"]?.first
    }
  }

  private static func identity(_ name: String, prefix: String, position: Int, shapes: [String: [Int]]) throws -> LayerIdentity {
    func invalid(_ reason: String) -> QuantizationError { .invalidLayerFile("layer \(name): \(reason)") }
    guard let weight = shapes[prefix + "weight"], weight.count == 2, weight.allSatisfy({ $0 > 0 }) else {
      throw invalid("its weight must be a matrix [outputs, inputs]")
    }
    switch (shapes[prefix + "hessian"], shapes[prefix + "inputs"]) {
    case (let hessian?, nil):
      guard hessian == [weight[1], weight[1]] else { throw invalid("its hessian is \(hessian), [\(weight[1]), \(weight[1])] is needed") }
    case (nil, let inputs?):
      guard inputs.count == 2, inputs[1] == weight[1] else { throw invalid("its inputs are \(inputs), [tokens, \(weight[1])] is needed") }
    case (nil, nil): throw invalid("it has neither hessian nor inputs; one is needed")
    // Golden and captured files have both at times; the inputs say more.
    case (_?, let inputs?):
      guard inputs.count == 2, inputs[1] == weight[1] else { throw invalid("its inputs are \(inputs), [tokens, \(weight[1])] is needed") }
    }
    return LayerIdentity(name: name, position: position, block: position, outputs: weight[0], inputs: weight[1])
  }

  /// Quantizes every layer and writes it to `blocks`, a file each.
  ///
  /// - Parameters:
  ///   - plan: Its error compensation has no meaning here: nothing is known of other layers.
  ///   - recovery: Its escalation has none either: there are no more rows.
  ///   - source: Fingerprint of the file and the options; layers that an earlier run finished with the same are kept.
  public func run(
    _ plan: QuantizationPlan, recovery: RecoveryPolicy, blocks: BlockFiles, source: BlockSource, observer: some QuantizationObserver
  ) throws -> Result {
    let observer = WarningRecorder(observer)
    let solver = LayerSolver(plan: plan, recovery: recovery, observer: observer)
    var states = Array(try blocks.survey(source: source).states.prefix(layers.count))
    for (layer, index) in zip(layers, layers.indices).dropFirst(states.count) {
      try observer.checkCancellation()
      let result = try quantize(index, solver)
      try observer.did(Self.work(layer))
      let state = BlockFiles.State(source: source, outcomes: [result.outcome], warnings: observer.takeWarnings())
      try blocks.write([result], state, block: index)
      states.append(state)
    }
    return Result(outcomes: states.flatMap(\.outcomes), warnings: states.flatMap(\.warnings))
  }

  /// What became of the layers.
  public struct Result: Sendable {
    /// In the order of computation.
    public let outcomes: [LayerOutcome]
    /// What the owner was told, earlier runs included.
    public let warnings: [String]
  }

  private func quantize(_ index: Int, _ solver: LayerSolver<some QuantizationObserver>) throws -> LayerResult {
    let layer = layers[index]
    guard let options = solver.plan[layer.name] else { return try solver.leaveAlone(layer) }
    try solver.observer.began(layer)
    let start = ContinuousClock.now
    let weight = try matrix("weight", index)
    guard options.method == .gptq else { return try solver.quantize(whole: weight, of: layer, .rounding, start: start).result }
    let (hessian, log) = try statistics(index, options: options)
    let preparation = try solver.prepare(hessian, for: [layer], log: log)
    return try solver.quantize(whole: weight, of: layer, preparation, start: start).result
  }

  /// Floating-point operations of all layers.
  public var work: Double { layers.reduce(0) { $0 + Self.work($1) } }

  private static func work(_ layer: LayerIdentity) -> Double {
    let inputs = Double(layer.inputs)
    return inputs * inputs * (inputs / 3 + 5 * Double(layer.outputs))
  }

  private func statistics(_ index: Int, options: QuantizationOptions) throws -> (SymmetricMatrix, AttemptLog) {
    let hessian: SymmetricMatrix
    if folder.contains(prefixes[index] + "inputs") {
      let inputs = try matrix("inputs", index)
      var accumulator = HessianAccumulator(columns: inputs.columns)
      if inputs.rows > 0 { accumulator.add(inputs) }
      hessian = accumulator.hessian()
    } else {
      let full = Matrix<Double>(try matrix("hessian", index))
      try requireSymmetric(full, layers[index].name)
      hessian = SymmetricMatrix(full)
    }
    var log = AttemptLog(samples: 0, tokens: tokens[index] ?? 0)
    let needed = RecoveryPolicy.neededTokens(columns: hessian.size)
    if let tokens = tokens[index], tokens < needed {
      log.add(
        .starved, "\(tokens) tokens for \(hessian.size) columns, \(needed) are wanted; a layer job has no more rows", remedy: .damping,
        damping: options.damping)
    }
    return (hessian, log)
  }

  /// Factors are made from one triangle, so a matrix that isn't symmetric would be taken for another.
  private func requireSymmetric(_ hessian: Matrix<Double>, _ layer: String) throws {
    for row in 0..<hessian.rows {
      for column in 0..<row {
        let (one, other) = (hessian[row, column], hessian[column, row])
        // Both are sums of the same products: they differ by rounding at most, by 2⁻⁸ in bfloat16.
        guard
          abs(one - other) <= 1e-2 * max(abs(one), abs(other), 1e-3 * (hessian[row, row] * hessian[column, column]).magnitude.squareRoot())
        else {
          throw QuantizationError.invalidLayerFile(
            "layer \(layer): its hessian is not symmetric: \(one) at row \(row), column \(column), \(other) across the diagonal; "
              + "store 2/T·XᵀX, both triangles")
        }
      }
    }
  }

  /// - Throws: `QuantizationError.nonFiniteTensor` that names tensor and index.
  private func matrix(_ suffix: String, _ index: Int) throws -> Matrix<Float> {
    let name = prefixes[index] + suffix
    let shape = try folder.info(name).shape
    if let element = try folder.firstNonFinite(name) {
      throw QuantizationError.nonFiniteTensor(tensor: name, row: element / shape[1], column: element % shape[1])
    }
    return try folder.matrix(name, rows: shape[0], columns: shape[1])
  }

  /// Writes the packed layers as one safetensors file, and quantize_config.json.
  public func writeArtifact(_ plan: QuantizationPlan, blocks: BlockFiles, folder target: URL) throws {
    try FileManager.default.createDirectory(at: target, withIntermediateDirectories: true)
    let files = try layers.indices.map { try blocks.open($0) }
    var writer = try SafetensorsWriter(
      target.appending(component: "model.safetensors"), tensors: files.flatMap(\.tensors), metadata: ["format": "pt"])
    for file in files {
      for tensor in file.tensors { try file.withBytes(of: tensor.name) { try writer.write($0, of: tensor.name) } }
    }
    try writer.finish()
    let kept = zip(layers, files).filter { $1.tensors.isEmpty }.map(\.0.name)
    let settings = try QuantizationSettings(plan, keeping: kept).quantizeConfigValue
    try DurableFile.write(Data((settings.serialized(indent: 2) + "\n").utf8), to: target.appending(component: "quantize_config.json"))
  }
}
