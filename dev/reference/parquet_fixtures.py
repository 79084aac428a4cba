# Writes test/parquet_fixtures.h: small Parquet files made by pyarrow, as byte arrays, beside their rows as JSON.
# Development only: python3 dev/reference/parquet_fixtures.py > test/parquet_fixtures.h   (needs pyarrow)
import datetime, decimal, io, json, math
import pyarrow as pa
import pyarrow.parquet as pq

flat = pa.schema([
    ("flag", pa.bool_()), ("i32", pa.int32()), ("i64", pa.int64()), ("u32", pa.uint32()), ("u64", pa.uint64()), ("f32", pa.float32()), ("f64", pa.float64()),
    ("text", pa.string()), ("bytes", pa.binary()), ("fixed", pa.binary(3)), ("price", pa.decimal128(9, 2)), ("big", pa.decimal128(38, 4)),
    ("day", pa.date32()), ("clock", pa.time64("us")), ("when", pa.timestamp("ms")), ("when_utc", pa.timestamp("us", tz="UTC"))])
D, T = decimal.Decimal, datetime
flat_rows = [
    dict(flag=True, i32=-7, i64=2**53 + 1, u32=2**32 - 1, u64=2**64 - 1, f32=0.5, f64=142.0, text="é😀", bytes=b"\xff\x00", fixed=b"abc", price=D("-12.30"),
         big=D("-99999999999999999999.0001"), day=T.date(2024, 2, 29), clock=T.time(1, 2, 3, 40), when=T.datetime(1969, 12, 31, 23, 59, 59, 1000),
         when_utc=T.datetime(2025, 2, 9, tzinfo=T.timezone.utc)),
    dict.fromkeys(flat.names),
    dict(flag=False, i32=2**31 - 1, i64=-2**63, u32=0, u64=5, f32=-1.5, f64=math.nan, text="", bytes=b"plain", fixed=b"\x80\x81\x82", price=D("0.05"),
         big=D("0.0000"), day=T.date(1600, 1, 1), clock=T.time(23, 59, 59), when=T.datetime(2000, 3, 1, 12), when_utc=T.datetime(1, 1, 1, tzinfo=T.timezone.utc)),
]
nested = pa.schema([
    ("lists", pa.list_(pa.list_(pa.int32()))), ("map", pa.map_(pa.string(), pa.list_(pa.float64()))), ("by_number", pa.map_(pa.int32(), pa.string())),
    ("deep", pa.struct([("a", pa.list_(pa.struct([("b", pa.string()), ("c", pa.list_(pa.int64()))]))), ("d", pa.int32())])), ("last", pa.string())])
nested_rows = [
    dict(lists=[[1, 2], [], None, [3, None]], map=[("x", [1.5]), ("y", None)], by_number=[(1, "one"), (2, None)],
         deep=dict(a=[dict(b="p", c=[1, 2, 3]), None, dict(b=None, c=[])], d=4), last="end"),
    dict(lists=None, map=None, by_number=None, deep=None, last=None),
    dict(lists=[], map=[], by_number=[], deep=dict(a=None, d=None), last=""),
    dict(lists=[[4]], map=[("z", [])], by_number=[(3, "")], deep=dict(a=[], d=-1), last="é"),
]
words = pa.schema([("number", pa.int64()), ("small", pa.int32()), ("word", pa.string()), ("similar", pa.string()), ("real", pa.float64()), ("flag", pa.bool_()),
                   ("same", pa.string())])
words_rows = [dict(number=(i * i * 7919) % 100003 - 50000 if i % 5 else None, small=i // 3, word="w" * (i % 4) + str(i), similar="prefix/%03d/%d" % (i // 10, i),
                   real=i / 8, flag=i % 3 == 0, same="the same") for i in range(100)]
delta = dict(number="DELTA_BINARY_PACKED", small="DELTA_BINARY_PACKED", word="DELTA_LENGTH_BYTE_ARRAY", similar="DELTA_BYTE_ARRAY", real="BYTE_STREAM_SPLIT", flag="RLE")

def plain(value, kind):
    if value is None: return None
    if pa.types.is_map(kind):
        pairs = [(k, plain(v, kind.item_type)) for k, v in value]
        return dict(pairs) if pa.types.is_string(kind.key_type) else [dict(key=k, value=v) for k, v in pairs]
    if pa.types.is_struct(kind): return {f.name: plain(value[f.name], f.type) for f in kind}
    if pa.types.is_list(kind): return [plain(v, kind.value_type) for v in value]
    if isinstance(value, bytes):
        try: return value.decode()
        except UnicodeDecodeError: return "\\x" + value.hex()
    if isinstance(value, D): return format(value, "f")
    if isinstance(value, float) and math.isnan(value): return "NaN"
    if isinstance(value, int) and value >= 2**63: return str(value)
    if isinstance(value, T.datetime):
        text = value.replace(tzinfo=None).isoformat(timespec="auto" if not value.microsecond else "microseconds" if kind.unit == "us" else "milliseconds")
        return text + ("Z" if value.tzinfo else "")
    if isinstance(value, (T.date, T.time)): return value.isoformat()
    return value

absent = pa.schema([("nothing", pa.string()), ("list", pa.list_(pa.int32())), ("index", pa.int64())])
absent_rows = [dict(nothing=None, list=[], index=i) for i in range(3)]
files = [
    ("flat_v1_plain", flat, flat_rows, dict(use_dictionary=False, compression="none", write_page_checksum=True)),
    ("flat_v1_snappy_dictionary", flat, flat_rows, dict(compression="snappy")),
    ("nested_v1_gzip", nested, nested_rows, dict(compression="gzip")),
    ("nested_v2_zstd", nested, nested_rows, dict(compression="zstd", data_page_version="2.0", write_page_checksum=True)),
    ("absent_v2_snappy", absent, absent_rows, dict(compression="snappy", use_dictionary=False, data_page_version="2.0")),
    ("words_delta_v2_lz4", words, words_rows, dict(compression="lz4", data_page_version="2.0", use_dictionary=["same"], column_encoding=delta, row_group_size=40)),
    ("words_delta_v1_brotli", words, words_rows, dict(compression="brotli", use_dictionary=["same"], column_encoding=delta, data_page_size=256)),
]
print("// Small Parquet files written by pyarrow and their rows; made by dev/reference/parquet_fixtures.py.\n// clang-format off\n#pragma once\n#include <stddef.h>\n")
print("typedef struct {\n    const char *name;\n    const unsigned char *data;\n    size_t size;\n    const char *rows; // a JSON array\n} ParquetFixture;\n")
table, texts = [], {}
for name, schema, rows, options in files:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema), out, store_schema=False, write_statistics=False, **options)
    data = out.getvalue()
    back = pq.read_table(io.BytesIO(data))
    want = json.dumps([{n: plain(v, schema.field(n).type) for n, v in row.items()} for row in back.cast(schema).to_pylist()], separators=(",", ":"))
    print("static const unsigned char %s_data[%d] = {" % (name, len(data)))
    print("\n".join(",".join(map(str, data[i:i + 48])) + "," for i in range(0, len(data), 48)) + "};")
    table.append("    {\"%s\", %s_data, sizeof(%s_data), %s_rows}," % (name, name, name, texts.setdefault(want, name)))
    if texts[want] != name: continue
    print("static const char %s_rows[] =" % name)
    quoted = [want[i:i + 130].replace("\\", "\\\\").replace('"', '\\"') for i in range(0, len(want), 130)]
    print("\n".join('    "%s"' % q for q in quoted) + ";\n")
print("static const ParquetFixture parquet_fixtures[] = {\n" + "\n".join(table) + "\n};")
