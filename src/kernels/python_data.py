# Tables as data: column to values, in the form that clients of E2B know.
# kernel and part are given by the core.
VALUES_MAX = 200000  # of a table
DEPTH_MAX = 20  # of a value in it
SIMPLE = frozenset((str, int, float, bool, type(None)))


def of_table(module, value):
    """The data of a table of this module, or None if it is too large."""
    if value.shape[0] * value.shape[1] > VALUES_MAX:
        kernel.truncated = True
        return None
    return {str(column): [plain(item) for item in values]
            for column, values in COLUMNS[module.__name__](value)}


def columns_of_pandas(frame):
    for index, name in enumerate(frame.columns):
        yield name, frame.iloc[:, index].tolist()


def columns_of_polars(frame):
    for column in frame.get_columns():
        yield column.name, column.to_list()


def columns_of_pyarrow(table):
    for name, column in zip(table.column_names, table.columns):
        yield name, column.to_pylist()


COLUMNS = {'pandas': columns_of_pandas, 'polars': columns_of_polars,
           'pyarrow': columns_of_pyarrow}


def plain(item, depth=0):
    """A value of a table as JSON can say it: dates in the form of ISO 8601,
    bytes in base64, what there is no other form of as its text."""
    kind = type(item)
    if kind in SIMPLE:
        return item
    if kind.__name__ == 'NAType':
        return None
    if kind.__name__ == 'NaTType':
        return 'NaT'  # its own isoformat(), which clients know
    if hasattr(item, 'isoformat') and not hasattr(item, 'components'):
        return item.isoformat()
    if depth < DEPTH_MAX:
        if kind.__module__ == 'numpy' and item.dtype.kind not in 'mM':
            return plain(item.tolist(), depth + 1)
        if isinstance(item, dict):
            return {str(key): plain(inner, depth + 1)
                    for key, inner in item.items()}
        if isinstance(item, (list, tuple, set, frozenset)):
            return [plain(inner, depth + 1) for inner in item]
    if isinstance(item, bytes):
        import binascii
        return binascii.b2a_base64(item, newline=False).decode()
    return str(item)
