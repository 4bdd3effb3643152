import JobModel
import StrictJSON

extension Operation {
  /// The operation object of the document.
  ///
  /// - Parameter tag: Of the area that the operation belongs to.
  func json(tag: String) -> JSONValue {
    var object: JSONObject = ["operationId": .string(id), "tags": [.string(tag)], "summary": .string(summary)]
    object["description"] = description.map(JSONValue.string)
    if !parameters.isEmpty { object["parameters"] = .array(parameters.map(\.json)) }
    object["requestBody"] = body?.json
    object["responses"] = responses
    if isOpen { object["security"] = [] }
    return .object(object)
  }

  private var responses: JSONValue {
    var responses: [(status: Int, json: JSONValue)] = answers.map { ($0.status, $0.json) }
    for (status, codes) in ErrorAnswers.codes(of: self) { responses.append((status, ErrorAnswers.json(status, codes))) }
    var object = JSONObject()
    for response in responses.sorted(by: { $0.status < $1.status }) { object["\(response.status)"] = response.json }
    return .object(object)
  }
}

extension Operation.Parameter {
  fileprivate var json: JSONValue {
    var object: JSONObject = ["name": .string(name), "in": .string(place.rawValue), "description": .string(description)]
    if place == .path { object["required"] = true }
    object["schema"] = schema.json
    return .object(object)
  }
}

extension Operation.Body {
  fileprivate var json: JSONValue {
    var named = JSONObject()
    for (name, value) in examples { named[name] = ["value": value] }
    var media = JSONObject()
    for (type, schema) in content {
      media[type] = named.isEmpty ? ["schema": schema.json] : ["schema": schema.json, "examples": .object(named)]
    }
    var object: JSONObject = [:]
    object["description"] = description.map(JSONValue.string)
    object["required"] = .bool(isRequired)
    object["content"] = .object(media)
    return .object(object)
  }
}

extension Operation.Answer {
  fileprivate var json: JSONValue {
    var object: JSONObject = ["description": .string(description)]
    object["headers"] = headers.json
    var media = JSONObject()
    for (type, schema) in content { media[type] = ["schema": schema.json] }
    if !media.isEmpty { object["content"] = .object(media) }
    var named = JSONObject()
    for link in links { named[link.name] = link.json }
    if !named.isEmpty { object["links"] = .object(named) }
    return .object(object)
  }
}

extension Operation.Link {
  fileprivate var json: JSONValue {
    var object = JSONObject()
    for (name, expression) in parameters { object[name] = .string(expression) }
    return ["operationId": .string(operation), "parameters": .object(object)]
  }
}

extension [Operation.Header] {
  var json: JSONValue? {
    guard !isEmpty else { return nil }
    var object = JSONObject()
    for header in self {
      object[header.name] = [
        "description": .string(header.description), "required": .bool(header.isAlwaysThere), "schema": header.schema.json,
      ]
    }
    return .object(object)
  }
}
