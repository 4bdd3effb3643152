import StrictJSON

extension JobRequest {

  /// Reads a request from outside.
  ///
  /// - Throws: `Problem` (422) that names every wrong, missing or unknown field by its JSON pointer.
  public init(parsing json: JSONValue) throws(Problem) {
    guard case .object(let object) = json else {
      throw Problem.invalidRequest([.init(pointer: "", detail: "must be an object, is \(json.kindDescription)")])
    }
    var reader = RequestReader(object, at: "")
    let model = reader.name("model", required: true)
    let quantization = reader.nested("quantization") { QuantizationRequest(reading: &$0) } ?? .init()
    let calibration = reader.nested("calibration") { CalibrationRequest(reading: &$0) } ?? nil
    let evaluation = reader.nested("evaluation") { EvaluationRequest(reading: &$0) } ?? nil
    let priority = reader.int("priority", in: -1000...1000) ?? 0
    if object["calibration"] == nil, quantization.method == .gptq {
      reader.report("calibration", "is missing: method \"gptq\" needs calibration text; only \"rtn\" works without")
    }
    let errors = reader.finished()
    guard errors.isEmpty, let model else { throw Problem.invalidRequest(errors) }
    self.init(model: model, quantization: quantization, calibration: calibration, evaluation: evaluation, priority: priority)
  }
}

extension QuantizationRequest {
  fileprivate init(reading reader: inout RequestReader) {
    self.init()
    method = reader.choice("method", of: Method.self) ?? method
    bits = reader.int("bits", in: 2...8) ?? bits
    if ![2, 3, 4, 8].contains(bits) { reader.report("bits", "must be 2, 3, 4 or 8, is \(bits)") }
    groupSize = reader.int("group_size", in: -1...(1 << 20)) ?? groupSize
    if groupSize == 0 { reader.report("group_size", "must be the number of input channels that share a scale, or -1 for all; is 0") }
    sym = reader.bool("sym") ?? sym
    descAct = reader.bool("desc_act") ?? descAct
    actGroupAware = reader.bool("act_group_aware") ?? !descAct
    if descAct, actGroupAware { reader.report("act_group_aware", "can't be true together with desc_act: choose one order") }
    dampPercent = reader.double("damp_percent", in: 0...1) ?? dampPercent
    format = reader.choice("format", of: Format.self) ?? format
  }
}

extension CalibrationRequest {
  fileprivate init?(reading reader: inout RequestReader) {
    let dataset = reader.name("dataset", required: true)
    let samples = reader.int("samples", in: 1...(1 << 20))
    let sequenceLength = reader.int("sequence_length", in: 2...(1 << 20))
    let seed = reader.int("seed", in: 0...Int.max) ?? 0
    guard let dataset else { return nil }
    self.init(dataset: dataset, samples: samples, sequenceLength: sequenceLength, seed: UInt64(seed))
  }
}

extension EvaluationRequest {
  fileprivate init?(reading reader: inout RequestReader) {
    let dataset = reader.name("dataset", required: true)
    let samples = reader.int("samples", in: 1...(1 << 20))
    let sequenceLength = reader.int("sequence_length", in: 2...(1 << 20))
    guard let dataset else { return nil }
    self.init(dataset: dataset, samples: samples, sequenceLength: sequenceLength)
  }
}
