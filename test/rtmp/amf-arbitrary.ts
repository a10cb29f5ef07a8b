import fc from "fast-check"
import {
  AMF_EXTERNAL_CLASSES,
  AmfDictionary,
  AmfExternalObject,
  type AmfObject,
  AmfTypedObject,
  type AmfValue,
  AmfVector,
  AmfXml,
} from "../../src/rtmp/amf-value.ts"

/** Text that UTF-8 gives back: no lone surrogates. */
const text = fc.string({ unit: "binary", maxLength: 8 })
const name = fc.oneof(
  fc.constantFrom("a", "__proto__", "constructor", "0"),
  fc.string({ unit: "binary", minLength: 1, maxLength: 6 }),
)
const number = fc.oneof(fc.integer(), fc.integer({ min: -(2 ** 29), max: 2 ** 29 }), fc.double())

const plain: fc.Arbitrary<AmfValue> = fc.oneof(
  number,
  fc.boolean(),
  text,
  fc.constant(null),
  fc.constant(undefined),
  fc.date({ noInvalidDate: false }),
  text.map((value) => new AmfXml(value)),
)

const amf3Plain: fc.Arbitrary<AmfValue> = fc.oneof(
  plain,
  fc.uint8Array({ maxLength: 20 }),
  text.map((value) => new AmfXml(value, "e4x")),
  fc
    .tuple(fc.array(fc.integer(), { maxLength: 4 }), fc.boolean())
    .map(([items, isFixed]) => new AmfVector({ type: "int", items }, isFixed)),
  fc.array(fc.nat(0xffff_ffff), { maxLength: 4 }).map((items) => new AmfVector({ type: "uint", items })),
  fc.array(fc.double(), { maxLength: 4 }).map((items) => new AmfVector({ type: "double", items })),
)

function record(values: fc.Arbitrary<AmfValue>): fc.Arbitrary<AmfObject> {
  return fc.array(fc.tuple(name, values), { maxLength: 4 }).map((entries) => {
    const object = Object.create(null)
    for (const [key, value] of entries) object[key] = value
    return object
  })
}

function containers(values: fc.Arbitrary<AmfValue>): fc.Arbitrary<AmfValue>[] {
  return [
    fc.array(values, { maxLength: 4 }),
    record(values),
    fc.tuple(name, record(values)).map(([className, properties]) => new AmfTypedObject(className, properties)),
    // An array without names is written like an empty one in AMF3.
    fc.array(fc.tuple(name, values), { minLength: 1, maxLength: 4 }).map((entries) => new Map(entries)),
  ]
}

/** Values that AMF0 has forms for. */
export const amf0Value: fc.Arbitrary<AmfValue> = fc.letrec<{ value: AmfValue }>((tie) => ({
  value: fc.oneof({ maxDepth: 3, withCrossShrink: true }, plain, ...containers(tie("value"))),
})).value

/** All values there are. */
export const amfValue: fc.Arbitrary<AmfValue> = fc.letrec<{ value: AmfValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    amf3Plain,
    ...containers(tie("value")),
    fc
      .tuple(fc.constantFrom(...AMF_EXTERNAL_CLASSES), tie("value"))
      .map(([className, value]) => new AmfExternalObject(className, value)),
    fc
      .tuple(fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 3 }), fc.boolean())
      .map(([entries, hasWeakKeys]) => new AmfDictionary(entries, hasWeakKeys)),
    fc
      .tuple(text, fc.array(tie("value"), { maxLength: 3 }))
      .map(([typeName, items]) => new AmfVector({ type: "object", typeName, items })),
  ),
})).value
